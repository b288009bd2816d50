"""Metrics of plans: what they promise, and what finding them took.

They read the fact ``plan`` (an explanation as JSON, ``explain.py``) and the span ``plan``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from harness import Metric

if TYPE_CHECKING:
    from harness import Trace

Way = Literal["lower", "higher"]


class PlannerTime(Metric):
    """Seconds that the planner took, reading the profile left out."""

    name: ClassVar[str] = "planner_time"
    unit: ClassVar[str] = "seconds"
    better: ClassVar[Way] = "lower"
    timed: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Add the spans ``plan``."""
        spans = trace.spans("plan")
        return float((spans.end - spans.start).sum()) if len(spans) else None


class PredictedSeconds(Metric):
    """Seconds per minibatch that the planner expects once the pipeline is full."""

    name: ClassVar[str] = "predicted_seconds"
    unit: ClassVar[str] = "seconds_per_minibatch"
    better: ClassVar[Way] = "lower"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Read the fact ``plan``."""
        return _plan(trace, "seconds")


class PredictedSpeedup(Metric):
    """Minibatches a second that the planner expects, over those that it expects of data parallelism."""

    name: ClassVar[str] = "predicted_speedup"
    unit: ClassVar[str] = "ratio"
    better: ClassVar[Way] = "higher"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Compare both in the fact ``plan``."""
        seconds, baseline = _plan(trace, "seconds"), _plan(trace, "data_parallel_seconds")
        return baseline / seconds if seconds and baseline else None


class PlanStages(Metric):
    """Stages of the plan; one stage on several workers is data parallelism."""

    name: ClassVar[str] = "plan_stages"
    unit: ClassVar[str] = "stages"
    better: ClassVar[Way] = "lower"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Count the stages in the fact ``plan``."""
        found = trace.fact("plan")
        return float(len(found["plan"]["stages"])) if found else None


class PlanCommunication(Metric):
    """Bytes per minibatch on all links, as planned: boundaries both ways, and averaging in a ring."""

    name: ClassVar[str] = "plan_bytes"
    unit: ClassVar[str] = "bytes_per_minibatch"
    better: ClassVar[Way] = "lower"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Read the fact ``plan``."""
        return _plan(trace, "communication_bytes")


METRICS: tuple[type[Metric], ...] = (PlanCommunication, PlanStages, PlannerTime, PredictedSeconds, PredictedSpeedup)


def _plan(trace: Trace, figure: str) -> float | None:
    found = trace.fact("plan")
    return float(found[figure]) if found and found.get(figure) is not None else None
