"""Metrics of loops: how fast iterations ran, and how good the arrays were pass by pass.

They read the counter ``updates``, one event a pass, and the values that workloads score themselves by; those of
plans read what was noted of each loop.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness import Metric

if TYPE_CHECKING:
    from harness import Trace

Way = Literal["lower", "higher"]


class UpdatesPerSecond(Metric):
    """Iterations of the loop a second of work; of LDA these are tokens, of a factorization ratings."""

    name: ClassVar[str] = "updates_per_second"
    unit: ClassVar[str] = "updates_per_second"
    better: ClassVar[Way] = "higher"
    timed: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Divide the counter ``updates`` by the wall time."""
        updates, seconds = trace.total("updates"), trace.wall_seconds
        return updates / seconds if updates and seconds else None


class SecondsPerPass(Metric):
    """Seconds of work a pass."""

    name: ClassVar[str] = "seconds_per_pass"
    unit: ClassVar[str] = "seconds"
    better: ClassVar[Way] = "lower"
    timed: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Divide the wall time by the passes that were counted, each once however many workers counted it."""
        passes, seconds = len(set(trace.counts("updates").step.tolist())), trace.wall_seconds
        return seconds / passes if passes and seconds else None


class InTurn(Metric):
    """What ``orion`` with ``in_turn`` compares pass by pass."""

    unit: ClassVar[str] = "ratio"
    better: ClassVar[Way] = "higher"
    timed: ClassVar[bool] = True


class Speedup(InTurn):
    """A pass of the serial program over the parallel one's next to it: the median."""

    name: ClassVar[str] = "speedup"

    def measure(self, trace: Trace) -> float | None:
        """Divide the spans ``serial`` by the spans ``pass``."""
        return _in_turn(trace, "serial")


class CoreShare(InTurn):
    """What the parallel program does of what serial ones do, one a worker and all at once, next to it: the median.

    Where each of p workers has a core to itself it is the speed-up over p, the parallel efficiency; it leaves out what
    the cores lose to each other and to others as soon as all are busy.
    """

    name: ClassVar[str] = "core_share"

    def measure(self, trace: Trace) -> float | None:
        """Divide the spans ``serials``, each of a pass a worker, by the spans ``pass`` and by the workers."""
        workers = trace.fact("turns").get("programs")
        found = _in_turn(trace, "serials")
        return found / workers if found and workers else None


def _in_turn(trace: Trace, name: str) -> float | None:
    turns, passes = _seconds(trace, name), _seconds(trace, "pass")
    ratios = [turns[step] / passes[step] for step in turns.keys() & passes.keys()]
    return median(ratios) if ratios else None


def _seconds(trace: Trace, name: str) -> dict[int, float]:
    """How long each step's spans of a name took, from the first start to the last end."""
    found = trace.spans(name)
    ends: dict[int, tuple[float, float]] = {}
    for step, start, end in zip(found.step.tolist(), found.start.tolist(), found.end.tolist(), strict=True):
        first, last = ends.get(step, (start, end))
        ends[step] = min(first, start), max(last, end)
    return {step: last - first for step, (first, last) in ends.items()}


class MeanLoss(Metric):
    """The loss, or another value, averaged over the passes: how it went on the way, not at the end alone."""

    name: ClassVar[str] = "mean_loss"
    unit: ClassVar[str] = "loss"
    better: ClassVar[Way] = "lower"

    of: str = Field("loss", description="the value")

    def measure(self, trace: Trace) -> float | None:
        """Average the values."""
        found = trace.values(self.of)
        return float(found.value.mean()) if len(found) else None


class FinalRmse(Metric):
    """The root mean squared error on what was held out, at the end."""

    name: ClassVar[str] = "final_rmse"
    unit: ClassVar[str] = "rating"
    better: ClassVar[Way] = "lower"

    def measure(self, trace: Trace) -> float | None:
        """Read the last value ``rmse``."""
        return trace.last("rmse")


class Share(Metric):
    """The share of planned loops of which something is true."""

    unit: ClassVar[str] = "share"
    better: ClassVar[Way] = "lower"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Average what was noted of each loop, 0 or 1, under the metric's name."""
        found = trace.values(self.name)
        return float(found.value.mean()) if len(found) else None


class SerialPlans(Share):
    """The share of loops whose plan is serial."""

    name: ClassVar[str] = "serial_plans"


class NeedlesslySerial(Share):
    """The share of loops whose plan is serial though the conflicts of a real run would have allowed more."""

    name: ClassVar[str] = "needlessly_serial"


class NeedlesslySerialAffine(Share):
    """The share of loops that are serial without need though every subscript in the way follows from the key."""

    name: ClassVar[str] = "needlessly_serial_affine"


class UnsoundPlans(Share):
    """The share of loops whose plan would let conflicting iterations run at once, or out of an order that matters."""

    name: ClassVar[str] = "unsound_plans"


METRICS: tuple[type[Metric], ...] = (
    CoreShare,
    FinalRmse,
    MeanLoss,
    NeedlesslySerial,
    NeedlesslySerialAffine,
    SecondsPerPass,
    SerialPlans,
    Speedup,
    UnsoundPlans,
    UpdatesPerSecond,
)
