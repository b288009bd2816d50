"""Metrics of time. Preparation and evaluation are left out of all of them but ``total_time``."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.components import Censored, Metric, Target
from harness.formula import Condition

if TYPE_CHECKING:
    from harness.tracefile import Events, Trace


class WallTime(Metric):
    """Seconds from the start of the work to its end, preparation and evaluation left out."""

    name: ClassVar[str] = "wall_time"
    unit: ClassVar[str] = "seconds"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    timed: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Read it off the spans ``run`` and ``evaluate``."""
        return trace.wall_seconds


class TotalTime(Metric):
    """Seconds from the first event to the last, preparation and evaluation included."""

    name: ClassVar[str] = "total_time"
    unit: ClassVar[str] = "seconds"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    timed: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Read it off the whole trace."""
        return trace.total_seconds


class ToTarget(Metric):
    """What it took until a traced value first met the target; at least what the whole run took if it never did."""

    better: ClassVar[Literal["lower", "higher"]] = "lower"

    target: Target | None = Field(None, description="such as 'accuracy >= 0.85'; by default the budget's target")
    interpolate: bool = Field(
        False, description="stop where a straight line from the value before meets the target, not at the value itself"
    )

    @abstractmethod
    def reached(self, trace: Trace, start: float, step: int) -> float | None:
        """What it took until a value that was recorded at this time, after so many steps."""

    @abstractmethod
    def bound(self, trace: Trace, values: Events) -> float | None:
        """What it took at least, where none of the values met the target."""

    def measure(self, trace: Trace) -> float | Censored | None:
        """Find the first value that meets the target."""
        target = self.target or trace.fact("budget").get("target")
        if not target:
            return None
        goal = Condition.parse_named(str(target))
        values = trace.values(goal.name)
        met = [index for index, value in enumerate(values.value.tolist()) if goal.met(value)]
        if met:
            return self._first(trace, values, met[0], goal)
        bound = self.bound(trace, values) if len(values) else None
        return None if bound is None else Censored(bound)

    def _first(self, trace: Trace, values: Events, index: int, goal: Condition) -> float | None:
        """What it took until the first value that met the goal, or until the line to it did."""
        reached = self.reached(trace, float(values.start[index]), int(values.step[index]))
        if not self.interpolate or not index:
            return reached
        before, after = float(values.value[index - 1]), float(values.value[index])
        earlier = self.reached(trace, float(values.start[index - 1]), int(values.step[index - 1]))
        edge = goal.low if before <= goal.low else goal.high
        if reached is None or earlier is None or not math.isfinite(after - before) or before == after:
            return reached
        return earlier + (reached - earlier) * (edge - before) / (after - before)


class TimeToTarget(ToTarget):
    """Seconds of work until a traced value first met the target; at least the whole run if it never did."""

    name: ClassVar[str] = "time_to_target"
    unit: ClassVar[str] = "seconds"
    timed: ClassVar[bool] = True

    def reached(self, trace: Trace, start: float, step: int) -> float | None:
        """The time, evaluation left out."""
        return trace.active_seconds(start)

    def bound(self, trace: Trace, values: Events) -> float | None:
        """The whole run's time."""
        return trace.wall_seconds


class StepsToTarget(ToTarget):
    """Steps until a traced value first met the target; at least those until the last value if it never did."""

    name: ClassVar[str] = "steps_to_target"
    unit: ClassVar[str] = "steps"
    exact: ClassVar[bool] = True

    def reached(self, trace: Trace, start: float, step: int) -> float | None:
        """The step that the value was recorded with."""
        return float(step) if step >= 0 else None

    def bound(self, trace: Trace, values: Events) -> float | None:
        """The last value's step."""
        last = float(values.step.max())
        return last if last >= 0 else None


class Throughput(Metric):
    """Training samples processed per second of work."""

    name: ClassVar[str] = "throughput"
    unit: ClassVar[str] = "samples_per_second"
    better: ClassVar[Literal["lower", "higher"]] = "higher"
    timed: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Divide the counter ``samples`` by the wall time."""
        samples, seconds = trace.total("samples"), trace.wall_seconds
        return samples / seconds if samples is not None and seconds else None


class DeviceTime(Metric):
    """Seconds that the workers' processors worked, all workers together."""

    name: ClassVar[str] = "device_time"
    unit: ClassVar[str] = "seconds"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    timed: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Add the CPU seconds of the spans ``run``, evaluation left out."""
        return trace.cpu_seconds
