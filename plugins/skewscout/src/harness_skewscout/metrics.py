"""What decentralized learning costs and gives, besides the core's metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from harness import Metric

if TYPE_CHECKING:
    from harness import Trace


class UpdateBytes(Metric):
    """Bytes that partitions publish, indices of sparse updates included; each counted once, whoever receives it."""

    name: ClassVar[str] = "update_bytes"
    unit: ClassVar[str] = "bytes"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Add the counter ``update_bytes``."""
        return trace.total("update_bytes")


class AccuracyOfMean(Metric):
    """Test accuracy of the mean of the partitions' models, at the end."""

    name: ClassVar[str] = "accuracy_of_mean"
    unit: ClassVar[str] = "share"
    better: ClassVar[Literal["lower", "higher"]] = "higher"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Take the last one."""
        return trace.last("accuracy_of_mean")


class NormalizationDivergence(Metric):
    """How far apart partitions' minibatch means are where the first layer normalizes, relative to their mean."""

    name: ClassVar[str] = "normalization_divergence"
    unit: ClassVar[str] = "ratio"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """The mean over all evaluations."""
        found = trace.values("normalization_divergence").value
        return float(found.mean()) if len(found) else None
