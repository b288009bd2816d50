"""Metrics of how good the answer was at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from harness.components import Metric

if TYPE_CHECKING:
    from harness.tracefile import Trace


class FinalLoss(Metric):
    """The last recorded loss."""

    name: ClassVar[str] = "final_loss"
    unit: ClassVar[str] = "loss"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    def measure(self, trace: Trace) -> float | None:
        """Read the last value ``loss``."""
        return trace.last("loss")


class FinalAccuracy(Metric):
    """The last recorded accuracy, from 0 to 1."""

    name: ClassVar[str] = "final_accuracy"
    unit: ClassVar[str] = "share"
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    def measure(self, trace: Trace) -> float | None:
        """Read the last value ``accuracy``."""
        return trace.last("accuracy")
