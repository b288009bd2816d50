"""A plugin for tests: one well-behaved workload, and parallelizers that go wrong in every way."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Literal

import psutil
from pydantic import Field, PositiveInt

from harness import Censored, Device, Job, Metric, Parallelizer, Serial, Trace, Workload, hookimpl


class Counting(Workload, Serial):
    """Counts to a number; nothing can be simpler."""

    name: ClassVar[str] = "counting"
    upto: PositiveInt = Field(5, description="how far to count")

    def prepare(self) -> None:
        pass

    def serial(self, job: Job[Any]) -> None:
        rng = job.rng(0)
        for step in range(self.upto):
            with job.trace.span("count", step=step):
                job.trace.value("loss", 1 / (step + 1) + rng.random(), step=step)
            if job.spent(steps=step + 1):
                break


class Stored(Counting):
    """Counts where another process made a file for the seed; one seed cannot be made."""

    name: ClassVar[str] = "stored"
    folder: str = Field("", description="where the files are; none are kept if it is empty")
    broken: int = Field(-1, description="the seed that cannot be made")
    gate: str = Field("", description="a file to wait for; a file with its process's number beside it says who waits")

    def keep(self, seed: int) -> None:
        if seed == self.broken:
            raise ValueError("this seed cannot be made")
        if self.gate and not Path(self.gate).exists():
            Path(f"{self.gate}-{os.getpid()}").touch()
            time.sleep(3600)
        path = Path(self.folder, f"{seed}.txt")
        if self.folder and not path.exists():
            path.write_text(f"{os.getpid()}")

    def serial(self, job: Job[Any]) -> None:
        assert not self.folder or Path(self.folder, f"{job.seed}.txt").read_text() != str(os.getpid())
        super().serial(job)


class Other(Workload):
    """A workload that no parallelizer here takes."""

    name: ClassVar[str] = "other"

    def prepare(self) -> None:
        pass


class Unruly(Parallelizer[Counting]):
    """Goes wrong in the way that is asked for."""

    name: ClassVar[str] = "unruly"
    how: Literal["raise", "exit", "segfault", "hang", "memory", "nan", "trace", "print"] = Field("raise")

    def run(self, job: Job[Counting]) -> None:
        print(f"about to {self.how}")
        getattr(self, f"_{self.how}")(job)

    def _raise(self, job: Job[Counting]) -> None:
        raise ValueError("this one raises")

    def _exit(self, job: Job[Counting]) -> None:
        os._exit(7)

    def _segfault(self, job: Job[Counting]) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def _hang(self, job: Job[Counting]) -> None:
        time.sleep(3600)

    def _memory(self, job: Job[Counting]) -> None:
        hoard = []
        while True:
            hoard.append(bytearray(50 * 2**20))
            time.sleep(0.02)

    def _nan(self, job: Job[Counting]) -> None:
        job.trace.value("loss", float("nan"), step=3)

    def _trace(self, job: Job[Counting]) -> None:
        for step in range(10_000_000):
            job.trace.value("noise", 0.0, step=step)

    def _print(self, job: Job[Counting]) -> None:
        job.workload.serial(job)


class Slow(Parallelizer[Counting]):
    """Counts, and takes its time."""

    name: ClassVar[str] = "slow"
    seconds: float = Field(0.3, description="how long")
    workers: PositiveInt = Field(1, description="how many a launcher starts")

    def run(self, job: Job[Counting]) -> None:
        time.sleep(self.seconds)
        job.workload.serial(job)


class Gated(Parallelizer[Counting]):
    """Counts; where a file is missing, one seed leaves a file with its process's number beside it, and waits."""

    name: ClassVar[str] = "gated"
    gate: str = Field(description="the file to wait for")
    seed: int = Field(1, description="the seed that waits")

    def run(self, job: Job[Counting]) -> None:
        if job.seed == self.seed and not Path(self.gate).exists():
            Path(f"{self.gate}-{os.getpid()}").touch()
            time.sleep(3600)
        job.workload.serial(job)


class Busy(Parallelizer[Counting]):
    """Leaves a file with its process's number, and never again gives up the interpreter's lock."""

    name: ClassVar[str] = "busy"
    sign: str = Field(description="the file to leave")

    def run(self, job: Job[Counting]) -> None:
        Path(f"{self.sign}-{os.getpid()}").touch()
        deque(count(), maxlen=0)


class Lingering(Parallelizer[Counting]):
    """Imports a module that takes its time, and leaves a file when it begins."""

    name: ClassVar[str] = "lingering"
    imports: ClassVar[tuple[str, ...]] = ("lingering",)

    def run(self, job: Job[Counting]) -> None:
        job.workload.serial(job)


class SumOfLosses(Metric):
    """The sum of every recorded loss."""

    name: ClassVar[str] = "sum_of_losses"
    unit: ClassVar[str] = "loss"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | Censored | None:
        return float(trace.values("loss").value.sum())


class Absent(Device):
    """A device that is never there."""

    name: ClassVar[str] = "absent"
    requires: ClassVar[tuple[str, ...]] = ("no_such_module",)
    remedy: ClassVar[str] = "pip install no-such-module"

    def launch(self, main: Any, workers: int, job: Any) -> list[Any]:
        raise AssertionError("never called")


class Ranks(Device):
    """The ranks that a launcher started; each leaves a file that says which it is, and of how many."""

    name: ClassVar[str] = "ranks"
    start: ClassVar[Literal["torchrun"]] = "torchrun"
    folder: str = Field(description="where to leave it")

    @contextmanager
    def hosted(self) -> Iterator[bool]:
        rank, size, port = (os.environ[name] for name in ("RANK", "WORLD_SIZE", "MASTER_PORT"))
        Path(self.folder, f"rank-{rank}-of-{size}-at-{port}").touch()
        yield rank == "0"

    def launch(self, main: Any, workers: int, job: Any) -> list[Any]:
        raise AssertionError("never called")


@hookimpl
def harness_workloads() -> list[type[Workload]]:
    return [Counting, Other, Stored]


@hookimpl
def harness_parallelizers() -> list[type[Parallelizer[Any]]]:
    return [Unruly, Slow, Gated, Busy, Lingering]


@hookimpl
def harness_metrics() -> list[type[Metric]]:
    return [SumOfLosses]


@hookimpl
def harness_devices() -> list[type[Device]]:
    return [Absent, Ranks]


@hookimpl
def harness_cell_finished(cell: Any, result: Any) -> None:
    """Note how much memory the engine has, where ``ENGINE_MEMORY`` names a file."""
    if noted := os.environ.get("ENGINE_MEMORY"):
        with Path(noted).open("a") as file:
            file.write(f"{psutil.Process().memory_info().rss}\n")
