"""Checks of a device: who runs, what comes back, what messages carry and weigh, and how a failure is told."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np

from harness.components import Budget, Job, Workload
from harness.devices import WorkerFailed
from harness.errors import HarnessError
from harness.registry import Offer
from harness.testing.cells import Bench
from harness.testing.declared import available
from harness.testing.isolated import isolated
from harness.testing.outcomes import Problem, Skip
from harness.trace import TraceWriter
from harness.tracefile import Trace, merge
from harness.worker import Operation, Worker

WORKERS = 3
PURPOSE = "on purpose"


class Nothing(Workload):
    """A workload with nothing to do; what is checked is the device."""

    name: ClassVar[str] = "nothing"

    def prepare(self) -> None:
        """Nothing to prepare."""


def launch(offer: Offer) -> None:
    """``main`` runs once per worker, and what each returned comes back by rank."""
    with _launched(offer, _sign) as (returned, folder):
        signatures = sorted((folder / "signatures").read_text(encoding="utf-8").split())
    size = len(returned)
    if returned != list(range(size)):
        raise Problem(f"returned {returned}, not what ranks 0 to {size - 1} returned, by rank")
    if signatures != [f"{rank}/{size}" for rank in range(size)]:
        raise Problem(f"ran as {', '.join(signatures)}, not once per rank")


def messages(offer: Offer) -> None:
    """What is sent arrives, and collectives agree with NumPy."""
    with _launched(offer, _converse) as (returned, _):
        heard = dict(sorted(returned))
    parts, equal = [_part(rank) for rank in heard], [_equal(rank) for rank in heard]
    for rank in heard:
        expected = {
            "send and receive": parts[rank - 1],
            "broadcast": parts[-1],
            "all_reduce sum": np.sum(equal, axis=0),
            "all_reduce mean": np.mean(equal, axis=0),
            "all_reduce max": np.max(equal, axis=0),
            "all_reduce min": np.min(equal, axis=0),
            "all_gather": np.concatenate(parts),
        }
        for what, right in expected.items():
            got = heard[rank][what]
            if got.shape != right.shape or not np.allclose(got, right):
                raise Problem(f"{what} gives rank {rank} {got.tolist()}, not {right.tolist()}")


def counted(offer: Offer) -> None:
    """The payload that each rank sends is counted, byte for byte."""
    with _launched(offer, _pass_on) as (returned, folder):
        trace = Trace.read(merge(folder))
    if len(returned) == 1:
        raise Skip("one worker sends nothing")
    for rank in range(len(returned)):
        sent, right = trace.total("bytes_sent", worker=rank), _part(rank).nbytes
        if sent != right:
            raise Problem(f"rank {rank} sent {right} bytes and bytes_sent says {sent}")


def failure(offer: Offer) -> None:
    """A worker that fails raises where it was launched, and is named."""
    with _launched(offer, _rank) as (returned, _):
        last = len(returned) - 1
    with tempfile.TemporaryDirectory(prefix="harness-check-") as folder:
        try:
            _job(offer, Path(folder)).launch(_fail, last + 1)
        except Exception as error:
            # A single worker may run in the launching thread, and its error pass through as it is.
            named = last == 0 or f"worker {last}" in str(error)
            if not named or PURPOSE not in str(error):
                raise Problem(f"worker {last} failed {PURPOSE}, and the error says: {error}") from None
            return
    raise Problem(f"worker {last} failed and launch returned: raise, naming the rank")


CHECKS: dict[str, Callable[[Offer], None]] = {
    "launch": launch,
    "messages": messages,
    "bytes": counted,
    "failure": failure,
}


def asked(question: Callable[[Offer], None], bench: Bench, offer: Offer) -> None:
    """Ask in a fresh process, where the device can run here."""
    available(offer)
    isolated(question, offer, time_limit=bench.time_limit)


@contextmanager
def _launched(offer: Offer, main: Callable[[Worker], Any]) -> Iterator[tuple[list[Any], Path]]:
    """Launch three workers, or one where the device has no room for more: what they returned, the cell's folder."""
    for workers in (WORKERS, 1):
        with tempfile.TemporaryDirectory(prefix="harness-check-") as folder:
            job = _job(offer, Path(folder))
            try:
                returned = job.launch(main, workers)
            except HarnessError as error:
                if workers == 1 or isinstance(error, WorkerFailed):
                    raise
                continue
            yield returned, job.folder
            return


def _job(offer: Offer, folder: Path) -> Job[Any]:
    return Job(Nothing(), offer.thing(), Budget(), 0, TraceWriter(folder), folder)


def _part(rank: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.arange(rank + 1, dtype=np.float64) + 10 * rank


def _equal(rank: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([[rank, 1.0], [-rank, rank**2]], dtype=np.float64)


def _rank(worker: Worker) -> int:
    return worker.rank


def _sign(worker: Worker) -> int:
    with (worker.job.folder / "signatures").open("a", encoding="utf-8") as file:
        file.write(f"{worker.rank}/{worker.size}\n")
    return worker.rank


def _pass_on(worker: Worker) -> Any:
    """Send to the next rank and receive from the one before."""
    if worker.size == 1:
        return _part(worker.rank)
    sending = worker.comm.isend(_part(worker.rank), (worker.rank + 1) % worker.size)
    received = worker.comm.receive((worker.rank - 1) % worker.size)
    sending.wait()
    return received


def _converse(worker: Worker) -> tuple[int, dict[str, Any]]:
    comm, last = worker.comm, worker.size - 1
    heard = {"send and receive": _pass_on(worker)}
    heard["broadcast"] = comm.broadcast(_part(worker.rank) if worker.rank == last else None, last)
    for operation in get_args(Operation):
        heard[f"all_reduce {operation}"] = comm.all_reduce(_equal(worker.rank), operation)
    heard["all_gather"] = np.concatenate(comm.all_gather(_part(worker.rank)))
    return worker.rank, heard


def _fail(worker: Worker) -> None:
    if worker.rank == worker.size - 1:
        raise RuntimeError(PURPOSE)
