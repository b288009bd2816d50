import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from device_support import DEVICES, Nothing, events, job_on, launch

from harness.devices import Processes
from harness.errors import HarnessError
from harness.worker import PeerLost

SECONDS = 120  # far more than it takes: only a failure waits so long


def gone(pids):
    """Whether every one of these processes ends within some seconds."""
    deadline = time.monotonic() + SECONDS
    while any(psutil.pid_exists(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(psutil.pid_exists(pid) for pid in pids)


def note_pid(folder, worker):
    written = folder / f"writing-{worker.rank}"
    written.write_text(str(os.getpid()))
    written.rename(folder / f"pid-{worker.rank}")  # at once, so that no reader finds half of it
    worker.comm.barrier()


def noted_pids(folder):
    return [int(path.read_text()) for path in folder.glob("pid-*")]


def tell_all(worker):
    worker.trace.value("rank", worker.rank)
    return worker.rank, os.getpid(), os.getpgid(0), float(worker.rng().random())


def test_each_worker_has_a_process_a_shard_and_a_random_stream_and_runs_when_all_are_prepared(tmp_path):
    results = launch(Processes(), tell_all, 3, tmp_path)
    assert [rank for rank, *_ in results] == [0, 1, 2]
    assert len({pid for _, pid, _, _ in results} | {os.getpid()}) == 4
    assert {group for _, _, group, _ in results} == {os.getpgid(0)}
    assert len({number for *_, number in results}) == 3
    assert gone([pid for _, pid, _, _ in results])
    assert [[value for *_, value in events(tmp_path, rank, "rank")] for rank in range(3)] == [[0], [1], [2]]
    prepared = max(events(tmp_path, rank, "prepare")[0][3] for rank in range(3))
    assert all(prepared <= events(tmp_path, rank, "run")[0][2] for rank in range(3))


def test_the_workload_is_prepared_in_every_worker(tmp_path):
    job = job_on(Processes(), marks=tmp_path)
    pids = [pid for _, pid, _, _ in job.launch(tell_all, 2)]
    assert {path.name for path in tmp_path.iterdir()} == {f"prepared-{pid}" for pid in pids}


def allocate(worker):
    np.ones((worker.rank + 1) * 2**22)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
def test_each_workers_own_memory_is_measured(tmp_path):
    launch(Processes(), allocate, 2, tmp_path)
    for rank in range(2):
        (level,) = (value for *_, value in events(tmp_path, rank, "memory_level"))
        (peak,) = (value for *_, value in events(tmp_path, rank, "memory_peak"))
        assert 0.9 * (rank + 1) * 2**25 < peak - level < (rank + 2) * 2**25


def thread_counts(worker):
    import torch

    return torch.get_num_threads(), os.environ["OMP_NUM_THREADS"]


def test_workers_compute_with_as_many_threads_as_the_device_says():
    assert launch(Processes(threads=2), thread_counts, 1) == [(2, "2")]


def fail(folder, how, worker):
    note_pid(folder, worker)
    if worker.rank == 1:
        how()
    worker.comm.receive((worker.rank + 1) % worker.size)


def raise_error():
    raise ValueError("boom on purpose")


def exit_quietly():
    os._exit(3)


def kill_itself():
    os.kill(os.getpid(), signal.SIGKILL)


def leave():
    sys.exit("no more")


@pytest.mark.parametrize(
    ("name", "how", "message"),
    [
        ("sockets", raise_error, "worker 1 failed: ValueError: boom on purpose"),
        ("sockets", exit_quietly, "worker 1 ended early, with status 3"),
        ("sockets", kill_itself, r"worker 1 died \(signal 9\)"),
        ("sockets", leave, "worker 1 failed: SystemExit: no more"),
        ("gloo", raise_error, "worker 1 failed: ValueError: boom on purpose"),
    ],
)
def test_a_worker_that_fails_is_named_and_nobody_stays(name, how, message, tmp_path):
    with pytest.raises(RuntimeError, match=message) as caught:
        launch(DEVICES[name], functools.partial(fail, tmp_path, how), 3)
    assert isinstance(caught.value, HarnessError)
    assert len(noted_pids(tmp_path)) == 3
    assert gone(noted_pids(tmp_path))


def test_the_traceback_of_a_worker_comes_with_the_error(tmp_path):
    with pytest.raises(RuntimeError) as caught:
        launch(Processes(), functools.partial(fail, tmp_path, raise_error), 2)
    (note,) = caught.value.__notes__
    assert "On worker 1" in note
    assert "in raise_error" in note


@pytest.fixture
def patient(monkeypatch):
    """A launcher that lets workers take as long as they need to notice that one is lost."""
    monkeypatch.setattr("harness.devices.crew.GRACE_SECONDS", SECONDS)


def hear_of_death(how, collective, worker):
    if worker.rank == 1:
        how()
    try:
        if collective:
            worker.comm.all_reduce(np.zeros(1000))
        else:
            worker.comm.receive(1)
    except PeerLost as error:
        Path(worker.job.workload.marks, f"heard-{worker.rank}").write_text(str(error))
        raise


@pytest.mark.parametrize("collective", [False, True])
@pytest.mark.parametrize(("how", "reason"), [(kill_itself, "its link"), (raise_error, "ValueError: boom on purpose")])
def test_the_others_hear_who_was_lost_and_why(how, reason, collective, patient, tmp_path):
    with pytest.raises(RuntimeError, match="worker 1"):
        job_on(Processes(), marks=tmp_path).launch(functools.partial(hear_of_death, how, collective), 2)
    assert (tmp_path / "heard-0").read_text().startswith(f"worker 1 is lost: {reason}")


def reduce_without_one(worker):
    import torch

    worker.comm.all_reduce(torch.ones(10))
    if worker.rank == 1:
        kill_itself()
    try:
        worker.comm.all_reduce(torch.ones(10))
    except PeerLost as error:
        Path(worker.job.workload.marks, f"heard-{worker.rank}").write_text(str(error))
        raise


def test_a_native_collective_names_the_lost_worker_too(patient, tmp_path):
    with pytest.raises(RuntimeError, match=r"worker 1 died \(signal 9\)"):
        job_on(DEVICES["gloo"], marks=tmp_path).launch(reduce_without_one, 2)
    assert (tmp_path / "heard-0").read_text().startswith("worker 1 is lost: its link")


def hang(folder, worker):
    note_pid(folder, worker)
    if worker.rank == 0:
        raise_error()
    time.sleep(1000)


def test_a_worker_that_does_not_notice_is_stopped(tmp_path):
    with pytest.raises(RuntimeError, match="worker 0 failed: ValueError"):
        launch(Processes(), functools.partial(hang, tmp_path), 2)
    assert gone(noted_pids(tmp_path))


def return_a_lambda(worker):
    return lambda: None


def test_a_result_that_cannot_travel_is_the_workers_failure():
    with pytest.raises(RuntimeError, match=r"worker 0 failed: .*lambda"):
        launch(Processes(), return_a_lambda, 1)


def test_a_main_that_cannot_travel_is_refused_with_advice():
    with pytest.raises(HarnessError, match="use a function of a module"):
        launch(Processes(), lambda worker: None, 2)


class Unprepared(Nothing):
    def prepare(self):
        raise OSError("no such data")


def test_a_workload_that_cannot_be_prepared_fails_its_worker():
    import dataclasses

    job = dataclasses.replace(job_on(Processes()), workload=Unprepared())
    with pytest.raises(RuntimeError, match="worker 0 failed: OSError: no such data"):
        job.launch(tell_all, 1)


def cell(folder):
    """Launch workers from a process that a fork server started, as a cell does."""
    os.setpgid(0, 0)
    results = job_on(Processes(), folder).launch(tell_all, 2)
    assert {group for _, _, group, _ in results} == {os.getpid()}


def test_a_process_from_a_fork_server_launches_workers_in_its_own_group(tmp_path):
    process = multiprocessing.get_context("forkserver").Process(target=cell, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert [value for rank in range(2) for *_, value in events(tmp_path, rank, "rank")] == [0, 1]


def wait_forever(folder, worker):
    note_pid(folder, worker)
    time.sleep(1000)


def test_workers_do_not_outlive_a_launcher_that_is_killed(tmp_path):
    program = (
        "import functools, pathlib, sys; sys.path[:0] = {path!r}\n"
        "from device_support import Processes, launch; from test_processes import wait_forever\n"
        "if __name__ == '__main__':\n"
        "    launch(Processes(), functools.partial(wait_forever, pathlib.Path({folder!r})), 2)\n"
    )
    script = tmp_path / "launcher.py"
    script.write_text(program.format(path=[str(Path(__file__).parent)], folder=str(tmp_path)))
    with subprocess.Popen([sys.executable, str(script)]) as launcher:
        deadline = time.monotonic() + SECONDS
        while len(noted_pids(tmp_path)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        launcher.kill()
    pids = noted_pids(tmp_path)
    assert len(pids) == 2
    assert gone(pids)
