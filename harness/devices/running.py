"""What every device does around a worker's ``main``, and how a failed one is told of."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.components import Result
from harness.devices.compute import compute_threads
from harness.devices.memory import measured_device_memory, measured_memory
from harness.errors import HarnessError
from harness.trace import TraceWriter
from harness.worker import PeerLost

if TYPE_CHECKING:
    from harness.components import Job
    from harness.worker import Worker


@dataclass(frozen=True)
class Place:
    """A rank before it has links; ``meet`` gives what this rank tells and returns what each rank told.

    What they tell each other is how to connect: addresses, keys.
    """

    rank: int
    size: int
    meet: Callable[[Any], list[Any]]


Join = Callable[[Place, "Job[Any]"], AbstractContextManager["Worker"]]


class WorkerFailed(HarnessError, RuntimeError):
    """A worker failed; the message names its rank and the error, the note has its traceback."""


@dataclass(frozen=True)
class Failure:
    """How a worker failed; ``lost`` if only because another one had."""

    rank: int
    summary: str
    details: str = ""
    lost: bool = False

    @classmethod
    def of(cls, rank: int, error: BaseException, details: str = "") -> Failure:
        """Put an exception into words."""
        text = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
        return cls(rank, f"failed: {text}", details, isinstance(error, PeerLost))

    def error(self) -> WorkerFailed:
        """Make the exception to raise where the workers were launched."""
        error = WorkerFailed(f"worker {self.rank} {self.summary}")
        if self.details:
            error.add_note(f"On worker {self.rank}:\n{self.details}")
        return error


def root_failure(failures: Sequence[Failure]) -> Failure:
    """Find the first, in order of time, that is not merely the consequence of another."""
    return next((failure for failure in failures if not failure.lost), failures[0])


def with_shard(job: Job[Any], rank: int, *, cpu_clock: Callable[[], float] = time.process_time) -> Job[Any]:
    """Give one worker its job, with a trace of its own."""
    folder = job.trace.folder
    if folder is not None and (folder / f"shard-{rank}.arrow").exists():
        raise HarnessError(
            f"worker {rank} has left its trace already: launch once in a cell, and warm up with trace=TraceWriter()",
            where=str(folder),
        )
    return replace(job, trace=TraceWriter(folder, worker=rank, clock=job.trace.clock, cpu_clock=cpu_clock))


def run_main(main: Callable[[Worker], Result], worker: Worker) -> Result:
    """Meet the others, then run ``main``; from here on time counts."""
    worker.comm.barrier()
    with measured_device_memory(worker.trace, worker.torch_device), worker.running():
        return main(worker)


def run_worker(
    main: Callable[[Worker], Result], job: Job[Any], place: Place, join: Join, *, threads: int = 1
) -> Result:
    """One worker's whole life in a process of its own: prepare, join the others, run ``main``.

    ``join(place, job)`` is the device's: a context manager that links this rank to the others, gives
    its ``Worker`` and parts from them again.
    """
    mine = with_shard(job, place.rank)
    with closing(mine.trace), compute_threads(threads):
        with mine.trace.span("prepare"):
            mine.workload.prepare()
        with join(place, mine) as worker, measured_memory(mine.trace):
            return run_main(main, worker)
