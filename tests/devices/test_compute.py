import os
import subprocess
import sys
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


def test_torch_keeps_its_count_though_numba_starts_its_threads():
    told = "with compute_threads(1): print(torch.get_num_threads(), numba.get_num_threads())"
    lines = ["import numba, torch", "from harness.devices.compute import compute_threads", told]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1"]


def test_a_new_thread_tells_numba_for_itself():
    found = []

    def work():
        with numba_threads(1):
            found.append(numba.get_num_threads())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [1]
