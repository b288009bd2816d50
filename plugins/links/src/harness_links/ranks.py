"""One rank that runs a cell, and the others that work for it.

Rank 0 runs the cell like any other process. Where the cell launches workers it pins what they are to do
to the launcher's store, does its own share and collects what the others say. These do nothing else, so
that what a parallelizer decides (a plan, from times that it measured) is decided once.
"""

from __future__ import annotations

import math
import pickle
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness import HarnessError, Job, PeerLost, TraceWriter, Worker
from harness.devices import Failure, Place, compute_threads, root_failure, run_main, run_worker, with_shard
from harness_links.board import POLL_SECONDS, Board
from harness_links.joining import join, machine

if TYPE_CHECKING:
    from harness_links.torchrun import Torchrun

Result = TypeVar("Result")
GRACE_SECONDS = 2.0
PARTING_SECONDS = 5.0
STOPPED = "torch's launcher stopped the first rank: another one has ended"


class Stopped(RuntimeError):
    """Torch's launcher wants this rank to end."""


@dataclass(frozen=True)
class Work:
    """What the other ranks are to do."""

    main: Callable[[Worker], Any]
    job: Job[Any]
    device: Torchrun
    machine: str


@dataclass(frozen=True)
class Said:
    """What a rank has to say at the end: what ``main`` returned, pickled, or how it failed; and its files of the trace.

    The files are empty where they lie in the cell's folder already.
    """

    outcome: bytes | Failure
    files: dict[str, bytes]


@contextmanager
def hosted(device: Torchrun) -> Iterator[bool]:
    """Be the rank that runs the cell, or serve it until it is over."""
    availability = device.availability()
    if not availability.ok:
        raise HarnessError(str(availability))
    session = current()
    if session.rank:
        session.serve()
        yield False
        return
    signal.signal(signal.SIGTERM, session.stop)
    yield True
    session.dismiss()


def launch(device: Torchrun, main: Callable[[Worker], Result], workers: int, job: Job[Any]) -> list[Result]:
    """Run ``main`` on all ranks; what each returned, by rank."""
    session = current()
    if workers != session.size:
        raise HarnessError(
            f"torchrun started {session.size} ranks and the cell launches {workers} workers: "
            f"start it with --nproc-per-node={workers}, or on several machines with {workers} ranks in all"
        )
    return session.lead(Work(main, replace(job, trace=TraceWriter(job.trace.folder)), device, machine()), job)


@cache
def current() -> Session:
    """This process's session: it has but one launcher."""
    import torch.distributed as dist

    store, rank, size = next(dist.rendezvous("env://"))  # type: ignore[attr-defined]
    return Session(Board(dist.PrefixStore("harness", store)), rank, size)  # type: ignore[attr-defined]


class Session:
    """One rank, from its start to its end."""

    def __init__(self, board: Board, rank: int, size: int) -> None:
        self.rank = rank
        self.size = size
        self._board = board
        self._launches = 0
        self._working = False
        self._stopped = False

    def stop(self, *_: object) -> None:
        """Give up the work under way, but not the writing of what came of it: the launcher wants this rank to end."""
        self._stopped = True
        if self._working:
            self._working = False
            raise Stopped(STOPPED)

    def lead(self, work: Work, job: Job[Any]) -> list[Any]:
        """Have all ranks work."""
        key = self._next()
        try:
            self._board.post(key, work)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise HarnessError(f"cannot travel to a rank: {error}; use a function of a module, or a partial") from error
        said: dict[int, Any] = {0: self._own_share(key, work, job)}
        self._hear(key, said, job.trace.folder)
        failures = [outcome for outcome in said.values() if isinstance(outcome, Failure)]
        if failures:
            raise root_failure(failures).error()
        if len(said) < self.size:
            raise HarnessError(STOPPED)
        return [said[0], *(pickle.loads(said[rank]) for rank in range(1, self.size))]

    def dismiss(self) -> None:
        """Let the other ranks go, and see them off: the store may end with this process."""
        self._board.post(self._next(), None)
        deadline = time.monotonic() + PARTING_SECONDS
        for rank in range(1, self.size):
            self._board.await_any(f"gone/{rank}", lambda: self._stopped or time.monotonic() > deadline)

    def serve(self) -> None:
        """Do what rank 0 wants done, until nothing is left."""
        while (work := self._board.take(key := self._next())) is not None:
            self._board.post(f"{key}/said/{self.rank}", self._share(key, work))
        self._board.post(f"gone/{self.rank}", None)

    def _next(self) -> str:
        self._launches += 1
        return f"launch/{self._launches}"

    def _own_share(self, key: str, work: Work, job: Job[Any]) -> Any:
        """What ``main`` returned on this rank, or how it failed."""
        try:
            with self._interruptible():
                return self._work_here(key, work, with_shard(job, 0))
        except Exception as error:
            # The launcher may stop a rank that is leaving already, having lost a peer: that says more.
            first = error.__context__ if isinstance(error, Stopped) and error.__context__ else error
            return Failure.of(0, first, traceback.format_exc())
        finally:
            self._board.post(f"{key}/said/0", None)

    def _work_here(self, key: str, work: Work, mine: Job[Any]) -> Any:
        linked = join(work.device, self._place(key), mine)
        with closing(mine.trace), compute_threads(work.device.threads), linked as worker:
            return run_main(work.main, worker)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        self._working = True
        if self._stopped:
            self.stop()
        try:
            yield
        finally:
            self._working = False

    def _share(self, key: str, work: Work) -> Said:
        """Do this rank's share; on a machine of its own the trace travels back with what came of it."""
        if work.machine == machine():
            return Said(self._outcome(key, work, work.job.trace.folder), {})
        with tempfile.TemporaryDirectory(prefix="harness-") as folder:
            outcome = self._outcome(key, work, Path(folder))
            return Said(outcome, {path.name: path.read_bytes() for path in Path(folder).iterdir()})

    def _outcome(self, key: str, work: Work, folder: Path | None) -> bytes | Failure:
        job = replace(work.job, trace=TraceWriter(folder))
        linked = partial(join, work.device)
        try:
            return pickle.dumps(run_worker(work.main, job, self._place(key), linked, threads=work.device.threads))
        except Exception as error:
            return Failure.of(self.rank, error, traceback.format_exc())

    def _place(self, key: str) -> Place:
        """This rank before it has links; what the ranks tell each other goes over the board."""
        meetings = count()

        def meet(fact: Any) -> list[Any]:
            meeting = f"{key}/meet/{next(meetings)}"
            self._board.post(f"{meeting}/{self.rank}", fact)
            return [self._met(meeting, key, rank) for rank in range(self.size)]

        return Place(self.rank, self.size, meet)

    def _met(self, meeting: str, key: str, rank: int) -> Any:
        if not self._board.await_any(f"{meeting}/{rank}", lambda: self._board.has(f"{key}/said/{rank}")):
            raise PeerLost(f"worker {rank} is lost: it has ended")
        return self._board.take(f"{meeting}/{rank}")

    def _hear(self, key: str, said: dict[int, Any], folder: Path | None) -> None:
        """Collect what the other ranks say, in order of time; once one has failed the rest get a moment."""
        deadline = math.inf
        while len(said) < self.size and not self._stopped and time.monotonic() < deadline:
            for rank in set(range(self.size)) - said.keys():
                if self._board.has(f"{key}/said/{rank}"):
                    said[rank] = _kept(self._board.take(f"{key}/said/{rank}"), folder)
            if deadline == math.inf and any(isinstance(outcome, Failure) for outcome in said.values()):
                deadline = time.monotonic() + GRACE_SECONDS
            time.sleep(POLL_SECONDS)


def _kept(said: Said, folder: Path | None) -> bytes | Failure:
    """What a rank has to say; the files that came with it go into the cell's folder."""
    if folder is not None:
        for name, content in said.files.items():
            (folder / name).write_bytes(content)
    return said.outcome
