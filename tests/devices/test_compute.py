import os
import threading

import numba
import pytest
import torch
from threadpoolctl import threadpool_info

from harness.devices.compute import VARIABLES, compute_threads, numba_threads


def settings():
    pools = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    return torch.get_num_threads(), numba.get_num_threads(), pools, [os.environ.get(name) for name in VARIABLES]


@pytest.mark.parametrize("count", [1, 2])
def test_libraries_are_told_and_get_back_what_they_had(count):
    before = settings()
    with compute_threads(count):
        torch_threads, numba_count, pools, variables = settings()
        assert (torch_threads, numba_count) == (count, min(count, numba.config.NUMBA_NUM_THREADS))
        assert pools <= {count}
        assert variables == [str(count)] * len(VARIABLES)
    assert settings() == before


def test_a_new_thread_tells_numba_for_itself():
    found = []

    def work():
        with numba_threads(1):
            found.append(numba.get_num_threads())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [1]
