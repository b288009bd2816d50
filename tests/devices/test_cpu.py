import dataclasses
import threading

import numpy as np
import pytest
from device_support import events, job_on, launch

from harness.devices import Cpu
from harness.errors import HarnessError
from harness.trace import TraceWriter


def test_one_worker_runs_in_the_calling_thread(tmp_path):
    def main(worker):
        worker.trace.value("risk", 0.5, step=3)
        return threading.get_ident(), worker.rank, worker.size, worker.torch_device

    assert launch(Cpu(), main, 1, tmp_path) == [(threading.get_ident(), 0, 1, "cpu")]
    assert [(step, value) for _, step, _, _, value in events(tmp_path, 0, "risk")] == [(3, 0.5)]
    assert len(events(tmp_path, 0, "run")) == 1


def test_an_error_inline_passes_through_as_it_is():
    def main(worker):
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        launch(Cpu(), main, 1)


def test_several_workers_run_as_threads_with_a_shard_each(tmp_path):
    def main(worker):
        worker.trace.value("rank", worker.rank)
        return threading.get_ident(), worker.comm.all_reduce(np.array(worker.rank)).item()

    results = launch(Cpu(), main, 3, tmp_path)
    assert len({ident for ident, _ in results} | {threading.get_ident()}) == 4
    assert [total for _, total in results] == [3, 3, 3]
    for rank in range(3):
        assert [value for *_, value in events(tmp_path, rank, "rank")] == [rank]
        assert len(events(tmp_path, rank, "run")) == 1


def test_no_worker_begins_before_all_are_there(tmp_path):
    launch(Cpu(), lambda worker: worker.comm.barrier(), 3, tmp_path)
    runs = [events(tmp_path, rank, "run")[0] for rank in range(3)]
    assert max(start for _, _, start, _, _ in runs) <= min(end for _, _, _, end, _ in runs)


def test_the_first_real_failure_is_raised_with_its_rank_and_cause():
    def main(worker):
        if worker.rank == 2:
            raise ValueError("boom")
        worker.comm.receive((worker.rank + 1) % 3)

    with pytest.raises(RuntimeError, match=r"^worker 2 failed: ValueError: boom$") as caught:
        launch(Cpu(), main, 3)
    assert isinstance(caught.value, HarnessError)
    assert isinstance(caught.value.__cause__, ValueError)


def test_workers_that_wait_for_nobody_who_failed_are_stopped_too():
    def main(worker):
        if worker.rank == 0:
            raise ValueError("boom")
        worker.comm.receive(worker.rank)

    with pytest.raises(RuntimeError, match="worker 0 failed: ValueError: boom"):
        launch(Cpu(), main, 3)


def test_a_second_launch_cannot_overwrite_the_first_ones_trace(tmp_path):
    launch(Cpu(), lambda worker: None, 1, tmp_path)
    with pytest.raises(HarnessError, match="worker 0 has left its trace already"):
        launch(Cpu(), lambda worker: None, 1, tmp_path)


def test_a_warm_up_leaves_no_trace(tmp_path):
    job = dataclasses.replace(job_on(Cpu(), tmp_path), trace=TraceWriter())
    for _ in range(2):
        job.launch(lambda worker: worker.comm.barrier(), 2)
    assert list(tmp_path.iterdir()) == []


def test_workers_read_the_launchers_clock(tmp_path):
    job = dataclasses.replace(job_on(Cpu(), tmp_path), trace=TraceWriter(tmp_path, clock=lambda: 42.0))
    assert job.launch(lambda worker: worker.clock(), 2) == [42.0, 42.0]
