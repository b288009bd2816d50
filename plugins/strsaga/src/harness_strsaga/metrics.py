"""Metrics of learning from a stream: how good the model was all along, and what a gradient cost.

They read the values ``risk`` and ``suboptimality`` at evaluated time steps, the counter ``gradients``,
the spans ``advance`` (one an arrival, its value the gradients it evaluated), and the fact ``stream``.
A cell's numeric libraries have one thread, so that the seconds of its spans are CPU seconds.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveFloat

from harness import Censored, Metric

if TYPE_CHECKING:
    from harness import Trace

Way = Literal["lower", "higher"]


class StreamMetric(Metric):
    """Lower is better, unless a subclass says otherwise."""

    unit: ClassVar[str] = "loss"
    better: ClassVar[Way] = "lower"


class Risk(StreamMetric):
    """Mean loss on held-out points, the median over the evaluated time steps."""

    name: ClassVar[str] = "risk"

    def measure(self, trace: Trace) -> float | None:
        """Take the median of the values ``risk``."""
        return _median(trace, "risk")


class FinalRisk(StreamMetric):
    """Mean loss on held-out points at the end of the stream."""

    name: ClassVar[str] = "final_risk"

    def measure(self, trace: Trace) -> float | None:
        """Read the last value ``risk``."""
        return trace.last("risk")


class Objective(StreamMetric):
    """The regularised objective over what has arrived, the median over the evaluated time steps."""

    name: ClassVar[str] = "objective"

    def measure(self, trace: Trace) -> float | None:
        """Take the median of the values ``objective``."""
        return _median(trace, "objective")


class Suboptimality(StreamMetric):
    """The objective over what has arrived, less its minimum: the median over the evaluated time steps.

    Not measured where the loss is not convex.
    """

    name: ClassVar[str] = "suboptimality"

    def measure(self, trace: Trace) -> float | None:
        """Take the median of the values ``suboptimality``."""
        return _median(trace, "suboptimality")


class FinalSuboptimality(StreamMetric):
    """The objective over the whole stream, less its minimum, at the end."""

    name: ClassVar[str] = "final_suboptimality"

    def measure(self, trace: Trace) -> float | None:
        """Read the last value ``suboptimality``."""
        return trace.last("suboptimality")


class SlackSuboptimality(StreamMetric):
    """Suboptimality plus d / n, what the theory allows with n points of dimension d: the median over time steps."""

    name: ClassVar[str] = "slack_suboptimality"

    def measure(self, trace: Trace) -> float | None:
        """Add dimension / arrived, of the fact ``stream``, to each value ``suboptimality``."""
        stream, found = trace.fact("stream"), trace.values("suboptimality")
        if not stream or not len(found):
            return None
        dimension, arrived = float(stream["dimension"]), stream["arrived"]
        pairs = zip(found.step.tolist(), found.value.tolist(), strict=True)
        return float(median(value + dimension / arrived[step] for step, value in pairs))


class Gradients(StreamMetric):
    """Gradients evaluated, one of one point each."""

    name: ClassVar[str] = "gradients"
    unit: ClassVar[str] = "gradients"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Add the counter ``gradients``."""
        return trace.total("gradients")


class SecondsPerGradient(StreamMetric):
    """Seconds of advancing the model, divided by the gradients that it took."""

    name: ClassVar[str] = "seconds_per_gradient"
    unit: ClassVar[str] = "seconds_per_gradient"
    timed: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Divide the spans ``advance`` by the counter ``gradients``."""
        gradients = trace.total("gradients")
        return sum(s for _, s, _ in _advances(trace)) / gradients if gradients else None


class GradientsPerSecond(StreamMetric):
    """Gradients evaluated in a second of advancing the model."""

    name: ClassVar[str] = "gradients_per_second"
    unit: ClassVar[str] = "gradients_per_second"
    better: ClassVar[Way] = "higher"
    timed: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Divide the counter ``gradients`` by the spans ``advance``."""
        seconds = SecondsPerGradient().measure(trace)
        return 1 / seconds if seconds else None


class StepCostGrowth(StreamMetric):
    """Seconds a gradient in the last tenth of the stream, divided by those in its first tenth.

    In each tenth the median arrival counts: one that the machine interrupted says nothing.
    """

    name: ClassVar[str] = "step_cost_growth"
    unit: ClassVar[str] = "ratio"
    timed: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Compare the spans ``advance`` at both ends; fewer than ten that learned have no tenth."""
        advances = [advance for advance in _advances(trace) if advance[2] > 0]
        tenth = len(advances) // 10
        if not tenth:
            return None
        cost = [seconds / gradients for _, seconds, gradients in advances]
        return median(cost[-tenth:]) / median(cost[:tenth])


class CpuToSuboptimality(StreamMetric):
    """CPU seconds of advancing the model until it was, and then stayed, within a target of the minimum.

    A stream's minimum moves as points arrive: being near it once, with few points, is not yet success.
    """

    name: ClassVar[str] = "cpu_to_suboptimality"
    unit: ClassVar[str] = "seconds"
    timed: ClassVar[bool] = True

    target: PositiveFloat = Field(1e-3, description="suboptimality at each evaluated time step from then on")

    def measure(self, trace: Trace) -> float | Censored | None:
        """Add the spans ``advance`` up to the time step from which all ``suboptimality`` values meet the target."""
        found, advances = trace.values("suboptimality"), _advances(trace)
        if not len(found) or not advances:
            return None
        reached = None
        for step, value in sorted(zip(found.step.tolist(), found.value.tolist(), strict=True)):
            if value > self.target:
                reached = None
            elif reached is None:
                reached = step
        if reached is None:
            return Censored(sum(seconds for _, seconds, _ in advances))
        return sum(seconds for step, seconds, _ in advances if step <= reached)


METRICS: tuple[type[Metric], ...] = (
    CpuToSuboptimality,
    FinalRisk,
    FinalSuboptimality,
    Gradients,
    GradientsPerSecond,
    Objective,
    Risk,
    SecondsPerGradient,
    SlackSuboptimality,
    StepCostGrowth,
    Suboptimality,
)


def _median(trace: Trace, name: str) -> float | None:
    found = trace.values(name).value.tolist()
    return median(found) if found else None


def _advances(trace: Trace) -> list[tuple[int, float, float]]:
    """Time step, seconds and gradients of each span ``advance``, in the stream's order."""
    spans = trace.spans("advance")
    return sorted(zip(spans.step.tolist(), (spans.end - spans.start).tolist(), spans.value.tolist(), strict=True))
