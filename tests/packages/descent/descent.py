"""A plugin whose work is counted: what asv is to see a regression of."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from harness import Job, Metric, Parallelizer, Trace, Workload, hookimpl

GRADIENTS_A_STEP = 10


class Parabola(Workload):
    """The lowest point of a parabola."""

    name: ClassVar[str] = "parabola"

    def prepare(self) -> None:
        """Nothing is needed."""


class Descent(Parallelizer[Parabola]):
    """Gradient descent that counts its gradients."""

    name: ClassVar[str] = "descent"

    breaks: bool = False

    def run(self, job: Job[Parabola]) -> None:
        """Fall."""
        x, step = 1.0, 0
        while not job.spent(steps=step):
            for _ in range(GRADIENTS_A_STEP):
                x -= 0.01 * x
            job.trace.count("gradients", GRADIENTS_A_STEP)
            job.trace.value("height", x * x, step=step)
            step += 1
            if self.breaks:
                raise RuntimeError("a step into the void")


class Gradients(Metric):
    """Gradients that were computed."""

    name: ClassVar[str] = "descent_gradients"
    unit: ClassVar[str] = "gradients"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Add the counter."""
        return trace.total("gradients")


class Depth(Metric):
    """How far down it got."""

    name: ClassVar[str] = "depth"
    unit: ClassVar[str] = "share"
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    def measure(self, trace: Trace) -> float | None:
        """What is left of the height, to 1."""
        left = trace.last("height")
        return None if left is None else 1 - left


@hookimpl
def harness_workloads() -> list[type[Workload]]:
    return [Parabola]


@hookimpl
def harness_parallelizers() -> list[type[Parallelizer[Any]]]:
    return [Descent]


@hookimpl
def harness_metrics() -> list[type[Metric]]:
    return [Gradients, Depth]
