"""Torch's own process group among the workers of a launch."""

import os
import signal

import pytest
from device_support import launch

from harness.devices import Cpu, Processes, WorkerFailed


def sums(worker):
    import torch
    import torch.distributed as dist

    total = torch.tensor([worker.rank + 1.0])
    with worker.torch_group():
        assert (dist.get_rank(), dist.get_world_size()) == (worker.rank, worker.size)
        dist.all_reduce(total)
    return float(total), dist.is_initialized()


def dies_within(worker):
    import torch
    import torch.distributed as dist

    with worker.torch_group():
        if worker.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        dist.all_reduce(torch.ones(1))


def has_group(worker):
    return worker.torch_group is not None


def test_torch_reduces_among_processes_and_is_put_away_after():
    assert launch(Processes(), sums, 3) == [(6.0, False)] * 3


def test_threads_have_no_process_group_of_their_own():
    assert launch(Cpu(), has_group, 2) == [False, False]


def test_a_worker_that_dies_in_the_group_is_named():
    with pytest.raises(WorkerFailed, match=r"worker 1 died \(signal 9\)|worker 1 is lost"):
        launch(Processes(), dies_within, 3)
