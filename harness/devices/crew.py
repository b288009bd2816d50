"""Worker processes and the one that launched them: started, introduced to each other, watched, stopped.

A worker tells its launcher three things over a pipe: what it wants its peers to know (``Meet``), what
``main`` returned (``Done``), or how it failed (``Failure``). Once one has failed, the others get a
moment to notice by themselves and to close their traces; then they are killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any, Literal

from harness.components import Job, Result
from harness.devices.running import Failure, Join, Place, root_failure, run_worker
from harness.errors import HarnessError
from harness.trace import TraceWriter
from harness.worker import Worker

GRACE_SECONDS = 2.0
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Meet:
    """Something for all ranks to know."""

    fact: Any


@dataclass(frozen=True)
class Done:
    """What ``main`` returned, pickled."""

    result: bytes


def launch_processes(
    main: Callable[[Worker], Result],
    workers: int,
    job: Job[Any],
    join: Join,
    *,
    method: Literal["forkserver", "spawn"] = "forkserver",
    threads: int = 1,
) -> list[Result]:
    """Run ``main`` in so many new processes, each linked to the others by ``join``; what each returned, by rank.

    ``main`` and ``join`` must be functions of modules, or picklable objects. Raises ``WorkerFailed``
    for the first worker that raises or dies; no process is left behind in any case.
    """
    try:
        # An empty trace that knows its folder is all that a worker needs of the launcher's.
        work = pickle.dumps((main, replace(job, trace=TraceWriter(job.trace.folder)), join, threads))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise HarnessError(f"cannot travel to a process: {error}; use a function of a module, or a partial") from error
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        imports = [module for part in (job.workload, job.device) for module in part.imports]
        context.set_forkserver_preload(["harness.warm", *imports])
    crew = Crew()
    try:
        for rank in range(workers):
            crew.start(context, work, rank, workers)
        return [pickle.loads(done.result) for done in crew.outcomes()]
    finally:
        crew.stop()


class Crew:
    """The workers of one launch, as the launcher sees them."""

    def __init__(self) -> None:
        self._members: list[_Member] = []
        self._failures: list[Failure] = []

    def start(self, context: Any, work: bytes, rank: int, size: int) -> None:
        """Start one more worker."""
        ours, theirs = context.Pipe()
        process = context.Process(target=live, args=(work, rank, size, theirs, os.getpgid(0)), name=f"worker-{rank}")
        self._members.append(_Member(rank, process, ours))
        process.start()
        theirs.close()

    def outcomes(self) -> list[Done]:
        """Wait for what every worker says at its end, by rank; raise if one failed."""
        deadline = None
        while working := [member for member in self._members if member.outcome is None]:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                break
            wait([handle for member in working for handle in (member.link, member.process.sentinel)], left)
            for member in working:
                member.listen()
                if isinstance(member.outcome, Failure):
                    self._failures.append(member.outcome)
                    deadline = deadline or time.monotonic() + GRACE_SECONDS
            self._introduce()
        if self._failures:
            raise root_failure(self._failures).error()
        return [member.outcome for member in self._members if isinstance(member.outcome, Done)]

    def stop(self) -> None:
        """Let those that are done leave; kill the others, and wait for all."""
        for member in self._members:
            member.end()

    def _introduce(self) -> None:
        """Once everybody has told something, tell it to everybody."""
        if all(member.facts for member in self._members):
            facts = [member.facts.pop(0) for member in self._members]
            for member in self._members:
                with contextlib.suppress(OSError):
                    member.link.send(facts)


class _Member:
    """One worker process, its pipe, and what it said."""

    def __init__(self, rank: int, process: Any, link: Connection) -> None:
        self.rank = rank
        self.process = process
        self.link = link
        self.facts: list[Any] = []
        self.outcome: Done | Failure | None = None

    def listen(self) -> None:
        """Take in everything it has said; notice that it is gone."""
        gone = not self.process.is_alive()
        try:
            while self.outcome is None and self.link.poll():
                self._take(self.link.recv())
        except (EOFError, OSError):
            gone = True
        if self.outcome is None and gone:
            self.process.join()
            self.outcome = Failure(self.rank, how_it_ended(self.process.exitcode))

    def end(self) -> None:
        """Make sure that it is gone."""
        if self.process.pid is not None:
            if isinstance(self.outcome, Done):
                self.process.join(GRACE_SECONDS)
            self.process.kill()
            self.process.join()
        self.link.close()

    def _take(self, said: Meet | Done | Failure) -> None:
        if isinstance(said, Meet):
            self.facts.append(said.fact)
        else:
            self.outcome = said


def how_it_ended(code: int) -> str:
    """Put an exit code into words."""
    return f"died (signal {-code})" if code < 0 else f"ended early, with status {code}"


def live(work: bytes, rank: int, size: int, link: Connection, group: int) -> None:
    """Be a worker process, from its start to its end."""
    _stay_with_launcher(group)
    said: Done | Failure
    try:
        main, job, join, threads = pickle.loads(work)
        place = Place(rank, size, partial(_meet, link))
        said = Done(pickle.dumps(run_worker(main, job, place, join, threads=threads)))
    except BaseException as error:
        said = Failure.of(rank, error, traceback.format_exc())
    with contextlib.suppress(OSError):
        link.send(said)


def _meet(link: Connection, fact: Any) -> list[Any]:
    link.send(Meet(fact))
    facts: list[Any] = link.recv()
    return facts


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends; elsewhere do nothing."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _stay_with_launcher(group: int) -> None:
    """Belong to the launcher's process group, and do not outlive it."""
    with contextlib.suppress(OSError):
        os.setpgid(0, group)
    die_with_parent()
    # A fork server's children are no children of the launcher's, so its end has to be watched for.
    launcher = multiprocessing.parent_process()
    if launcher is not None:
        threading.Thread(target=_die_with, args=(launcher.sentinel,), name="launcher-watch", daemon=True).start()


def _die_with(sentinel: int) -> None:
    wait([sentinel])
    os.kill(os.getpid(), signal.SIGKILL)
