"""A plugin as one was written against version 0.1, kept as it was: it must conform from now on."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveInt

from harness import Device, Job, Metric, Parallelizer, Trace, Worker, Workload, devices, hookimpl


class Darts(Workload):
    """Estimate pi from the share of random darts that hit the quarter disc."""

    name: ClassVar[str] = "kept-darts"

    batch: PositiveInt = Field(10_000, description="darts a step, each worker's own")
    rounds: PositiveInt = Field(100, description="steps at most")

    def prepare(self) -> None:
        """Fetch or generate data here; nothing is needed."""

    def hits(self, rng: np.random.Generator) -> int:
        """Throw one batch and count the hits."""
        x, y = rng.random((2, self.batch))
        return int((x * x + y * y < 1).sum())


class Split(Parallelizer[Darts]):
    """Every worker throws darts of its own; after each step they add up their hits."""

    name: ClassVar[str] = "kept-split"

    workers: PositiveInt = Field(2, description="number of workers")

    def run(self, job: Job[Darts]) -> None:
        """Throw on every worker until the budget is spent."""
        job.launch(throw, self.workers)


def throw(worker: Worker) -> None:
    """One worker's share; rank 0 records what all of them found."""
    workload: Darts = worker.job.workload
    rng = worker.rng()
    hits = 0
    for step in range(1, workload.rounds + 1):
        with worker.work("throw", step=step):
            hits += workload.hits(rng)
        # The workers' clocks differ: they stop together, as soon as one of them has spent its budget.
        spent = worker.job.spent(steps=step)
        all_hits, stop = worker.comm.all_reduce(np.array([hits, spent], dtype=np.float64))
        if worker.rank == 0:
            worker.trace.value("pi", 4 * all_hits / (step * workload.batch * worker.size), step=step)
        if stop:
            break


class PiError(Metric):
    """How far the last estimate of pi was off."""

    name: ClassVar[str] = "kept_error"
    unit: ClassVar[str] = "radians"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Compare the last value ``pi``; not measured where there is none."""
        estimate = trace.last("pi")
        return None if estimate is None else abs(estimate - math.pi)


class Desk(devices.Cpu):
    """This machine's processor, under a name of its own."""

    name: ClassVar[str] = "kept-desk"


@hookimpl
def harness_workloads() -> list[type[Workload]]:
    """What has to be done."""
    return [Darts]


@hookimpl
def harness_parallelizers() -> list[type[Parallelizer[Any]]]:
    """Ways to divide it."""
    return [Split]


@hookimpl
def harness_devices() -> list[type[Device]]:
    """Where it runs."""
    return [Desk]


@hookimpl
def harness_metrics() -> list[type[Metric]]:
    """What is read off its trace."""
    return [PiError]
