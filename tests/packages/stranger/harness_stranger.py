"""A plugin by somebody else: one component of each kind, written against `import harness` alone."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from harness import Device, Job, Metric, Parallelizer, Trace, Worker, Workload, devices, hookimpl


class Primes(Workload):
    """Count the primes below a limit."""

    name: ClassVar[str] = "primes"
    limit: PositiveInt = Field(1000, description="exclusive upper limit")

    def prepare(self) -> None:
        """Nothing to fetch."""

    def count(self, start: int, stop: int) -> int:
        """Count the primes in a range by trial division."""
        return sum(n > 1 and all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(start, stop))


def count_share(worker: Worker) -> int:
    """Count one worker's share and report it."""
    workload: Primes = worker.job.workload
    share = range(worker.rank * workload.limit // worker.size, (worker.rank + 1) * workload.limit // worker.size)
    with worker.work("count"):
        found = workload.count(share.start, share.stop)
    worker.trace.count("primes", found)
    return found


class Ranges(Parallelizer[Primes]):
    """Give each worker a range of numbers."""

    name: ClassVar[str] = "ranges"
    workers: PositiveInt = Field(2, description="number of workers")

    def run(self, job: Job[Primes]) -> None:
        """Count on every worker."""
        job.launch(count_share, self.workers)


class PrimesFound(Metric):
    """How many primes were found."""

    name: ClassVar[str] = "primes_found"
    unit: ClassVar[str] = "primes"
    better: ClassVar[Literal["lower", "higher"]] = "higher"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Add the counter."""
        return trace.total("primes")


class Desk(devices.Cpu):
    """This machine's processors, under another name."""

    name: ClassVar[str] = "desk"


@hookimpl
def harness_workloads() -> list[type[Workload]]:
    """One workload."""
    return [Primes]


@hookimpl
def harness_parallelizers() -> list[type[Parallelizer[Any]]]:
    """One parallelizer."""
    return [Ranges]


@hookimpl
def harness_devices() -> list[type[Device]]:
    """One device."""
    return [Desk]


@hookimpl
def harness_metrics() -> list[type[Metric]]:
    """One metric."""
    return [PrimesFound]
