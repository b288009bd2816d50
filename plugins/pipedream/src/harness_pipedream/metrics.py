"""Metrics of plans: what they promise, what finding them took, and what a simulation makes of them.

They read the fact ``plan`` (an explanation as JSON, ``explain.py``), the span ``plan``, and the counter ``samples``.
"""

from __future__ import annotations

from math import lcm
from typing import TYPE_CHECKING, ClassVar, Literal

from harness import Metric

if TYPE_CHECKING:
    from harness import Trace

Way = Literal["lower", "higher"]


class OfPlan(Metric):
    """A figure of the fact ``plan``; the same whenever it is planned from the same profile."""

    better: ClassVar[Way] = "lower"
    exact: ClassVar[bool] = True
    figure: ClassVar[str]

    def measure(self, trace: Trace) -> float | None:
        """Read the figure; a plan that no profile was made for has none."""
        return _plan(trace, self.figure)


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


class PredictedSeconds(OfPlan):
    """Seconds per minibatch that the planner expects once the pipeline is full."""

    name: ClassVar[str] = "predicted_seconds"
    unit: ClassVar[str] = "seconds_per_minibatch"
    figure: ClassVar[str] = "seconds"


class PacedSeconds(OfPlan):
    """Seconds per minibatch that are expected with as many in flight as there were.

    Those of the slowest stage, or a minibatch's whole way through the pipeline and back, shared by those in
    flight, if that is longer.
    """

    name: ClassVar[str] = "paced_seconds"
    unit: ClassVar[str] = "seconds_per_minibatch"
    figure: ClassVar[str] = "paced_seconds"


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


class SimulatedSeconds(Metric):
    """Virtual seconds per minibatch on a simulated machine, over the middle half: the pipeline is full."""

    name: ClassVar[str] = "simulated_seconds"
    unit: ClassVar[str] = "seconds_per_minibatch"
    better: ClassVar[Way] = "lower"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Compare when the second and the third quarter of the minibatches ended, on average, in whole rounds."""
        import numpy as np

        done = trace.counts("samples")
        steps, of = np.unique(done.step, return_inverse=True)
        quarter = len(steps) // 4 // _round(trace) * _round(trace)
        # With numerics, real computation is part of the time.
        if not quarter or trace.fact("simulated").get("numerics", True):
            return None
        ends = np.zeros(len(steps))
        np.maximum.at(ends, of, done.end)
        ends.sort()
        second, third = ends[quarter : 2 * quarter], ends[2 * quarter : 3 * quarter]
        return float(third.mean() - second.mean()) / quarter


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


class PlanCommunication(OfPlan):
    """Bytes per minibatch on all links, as planned: boundaries both ways, and averaging in a ring."""

    name: ClassVar[str] = "plan_bytes"
    unit: ClassVar[str] = "bytes_per_minibatch"
    figure: ClassVar[str] = "communication_bytes"


METRICS: tuple[type[Metric], ...] = (
    PacedSeconds,
    PlanCommunication,
    PlanStages,
    PlannerTime,
    PredictedSeconds,
    PredictedSpeedup,
    SimulatedSeconds,
)


def _plan(trace: Trace, figure: str) -> float | None:
    found = trace.fact("plan")
    return float(found[figure]) if found and found.get(figure) is not None else None


def _round(trace: Trace) -> int:
    """Minibatches after which every stage's replicas have had their turn."""
    found = trace.fact("plan")
    return lcm(*(stage["replicas"] for stage in found["plan"]["stages"])) if found else 1
