"""Runs of a parallelizer in this process: vectorised, or a thread for each partition."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from harness import Budget, Job, Trace, TraceWriter, Worker
from harness.devices import Cpu, MessageCommunicator, thread_wires
from harness.tracefile import merge
from harness_skewscout.learning import learn
from harness_skewscout.parallelizers import Decentralized


def job_of(workload: Any, folder: Path, steps: int, worker: int = 0) -> Job[Any]:
    trace = TraceWriter(folder, worker=worker)
    return Job(workload, Cpu(), Budget(steps=steps), 3, trace, folder)


def trained(way: Decentralized, workload: Any, folder: Path, steps: int = 25) -> Trace:
    """What a run leaves, whichever way it is divided."""
    folder.mkdir()
    size = 1 if way.vectorised else workload.partitions
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with ThreadPoolExecutor(size) as pool:
        list(pool.map(lambda wire: _work(way, workload, folder, steps, wire), thread_wires(size)))
    torch.set_num_threads(threads)
    return Trace.read(merge(folder))


def _work(way: Decentralized, workload: Any, folder: Path, steps: int, wire: Any) -> None:
    job = job_of(workload, folder, steps, wire.rank)
    with MessageCommunicator(wire, job.trace) as comm:
        learn(way, Worker(wire.rank, wire.size, job, comm))
    job.trace.close()


def losses(trace: Trace) -> list[float]:
    return [float(value) for value in trace.values("loss").value]
