"""Metrics of querying video: what ingest and a cold query cost, and how right the answers are.

They read, of a cell's trace (values of spans are CPU seconds):

========================================  ==============================================================
``expert_timing``, ``expert_timed``        span and counter: the expensive network on so many objects
``camera``, ``camera_frames``              span and counter: decoding and motion, on so many frames
``frames``, ``ingest_calls``               counters: of the stream; expensive calls at ingest
``cheap_network``, ``indexing``            spans: the cheap network at ingest; all of indexing, this included
``calibration_calls``, ``training``        counter and span: labels that parameters were chosen with; the rest of it
``query``, ``query_calls``                 span, and counter, a step a query: what it takes; its expensive calls
``small_network``, ``small_timed``         span and counter: a network of the query's own, on so many objects
``small_calls``, ``query_training``        counter and span: its calls in queries; teaching it
``right``, ``wrong``, ``missed``           counters, a step a query: seconds of the test part
``index_bytes``                            counter
========================================  ==============================================================

An expensive call is charged at the mean of the ``expert_timing`` of the same cell, a frame at that of ``camera``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness import Metric

if TYPE_CHECKING:
    from harness import Trace

Way = Literal["lower", "higher"]


class VideoMetric(Metric):
    """Lower is better, unless a subclass says otherwise."""

    unit: ClassVar[str] = "seconds"
    better: ClassVar[Way] = "lower"


class IngestCost(VideoMetric):
    """CPU seconds of ingest, in one of three accountings.

    The last one counts what is spent once on a stream, labels and teaching, also where a first query spends it.
    """

    name: ClassVar[str] = "ingest_cost"
    timed: ClassVar[bool] = True

    accounting: Literal["network", "machine", "all"] = Field(
        "network",
        description="networks alone, as the paper has it; with decoding, motion and indexing; with choosing parameters",
    )

    def measure(self, trace: Trace) -> float | None:
        """Add what the accounting counts."""
        call = _each(trace, "expert_timing", "expert_timed")
        frames = trace.total("frames")
        if call is None or frames is None:
            return None
        cheap = _cpu(trace, "cheap_network")
        cost = cheap + (trace.total("ingest_calls") or 0) * call
        if self.accounting != "network":
            cost += _cpu(trace, "indexing") - (cheap if len(trace.spans("indexing")) else 0)
            cost += (_each(trace, "camera", "camera_frames") or 0) * frames
        if self.accounting == "all":
            cost += _cpu(trace, "training") + _cpu(trace, "query_training")
            cost += (trace.total("calibration_calls") or 0) * call
        return cost


class QueryLatency(VideoMetric):
    """CPU seconds of a cold query: its expensive calls, each at what one took in this cell, and the rest of it.

    The mean over the classes that were asked for.
    """

    name: ClassVar[str] = "query_latency"
    timed: ClassVar[bool] = True

    training: bool = Field(False, description="of a first query: with the labels and the teaching of its own network")

    def measure(self, trace: Trace) -> float | None:
        """Add up all queries, and divide."""
        call, calls = _each(trace, "expert_timing", "expert_timed"), _by_query(trace, "query_calls")
        if call is None or not calls:
            return None
        small = (_each(trace, "small_network", "small_timed") or 0) * (trace.total("small_calls") or 0)
        seconds = (sum(calls.values()) * call + small + _cpu(trace, "query")) / len(calls)
        if self.training and len(trace.spans("query_training")):
            seconds += _cpu(trace, "query_training") + (trace.total("calibration_calls") or 0) * call
        return seconds


class CallSeconds(VideoMetric):
    """CPU seconds of one call of the expensive network, measured in this cell."""

    name: ClassVar[str] = "expert_seconds"
    timed: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Divide the span by the objects."""
        return _each(trace, "expert_timing", "expert_timed")


class QueryCalls(VideoMetric):
    """Calls of the expensive network in a cold query, the mean over the classes that were asked for."""

    name: ClassVar[str] = "query_calls"
    unit: ClassVar[str] = "calls"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Average the counter."""
        calls = _by_query(trace, "query_calls")
        return sum(calls.values()) / len(calls) if calls else None


class IngestCalls(VideoMetric):
    """Calls of the expensive network before any query: at ingest, and for calibration."""

    name: ClassVar[str] = "ingest_calls"
    unit: ClassVar[str] = "calls"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Add both counters; a query that calibrates by itself does so later."""
        if trace.total("frames") is None:
            return None
        calibration = 0 if len(trace.spans("query_training")) else trace.total("calibration_calls") or 0
        return (trace.total("ingest_calls") or 0) + calibration


class IngestMultiplyAdds(VideoMetric):
    """Multiply-adds of all networks' calls at ingest, calibration left out."""

    name: ClassVar[str] = "ingest_multiply_adds"
    unit: ClassVar[str] = "multiply-adds"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Multiply calls by what one takes."""
        expert = trace.total("expert_multiply_adds")
        if expert is None:
            return None
        cheap = (trace.total("cheap_calls") or 0) * (trace.total("cheap_multiply_adds") or 0)
        return cheap + (trace.total("ingest_calls") or 0) * expert


class SecondsRight(VideoMetric):
    """A share of seconds of the part that chose nothing, over the classes that were asked for.

    ``otherwise`` is the counter of the seconds that are not right.
    """

    unit: ClassVar[str] = "share"
    better: ClassVar[Way] = "higher"
    exact: ClassVar[bool] = True
    otherwise: ClassVar[str]

    average: Literal["macro", "micro"] = Field(
        "macro",
        description="the mean over the classes that have a share, or the share of all classes' seconds together",
    )

    def measure(self, trace: Trace) -> float | None:
        """Divide, for each class or for all."""
        right, other = _by_query(trace, "right"), _by_query(trace, self.otherwise)
        if self.average == "micro":
            right, other = {0: sum(right.values())}, {0: sum(other.values())}
        shares = [right[c] / (right[c] + other[c]) for c in right if right[c] + other[c]]
        return sum(shares) / len(shares) if shares else None


class Precision(SecondsRight):
    """Share of the returned seconds that show the class, on the part that chose nothing."""

    name: ClassVar[str] = "precision"
    otherwise: ClassVar[str] = "wrong"


class Recall(SecondsRight):
    """Share of the seconds with the class that are returned, on the part that chose nothing."""

    name: ClassVar[str] = "recall"
    otherwise: ClassVar[str] = "missed"


class IndexBytes(VideoMetric):
    """Bytes of the index, pictures included."""

    name: ClassVar[str] = "index_bytes"
    unit: ClassVar[str] = "bytes"

    def measure(self, trace: Trace) -> float | None:
        """Read the counter."""
        return trace.total("index_bytes")


class FrontSize(VideoMetric):
    """Settings that surely meet the target on the validation part, and that no other beats in both costs."""

    name: ClassVar[str] = "front_size"
    unit: ClassVar[str] = "settings"
    better: ClassVar[Way] = "higher"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Count the points of the fact ``front``; none of them counts where the target was not met."""
        front = trace.fact("front")
        return float(len(front["points"]) if front["met"] else 0) if front else None


class FrontRange(VideoMetric):
    """What the policies can choose between: the greatest cost on the front over the least, of ingest or of a query.

    Costs are those that the choice was made by, in calls of the expensive network. At its ends, the front is what
    opt-ingest and opt-query take.
    """

    name: ClassVar[str] = "front_range"
    unit: ClassVar[str] = "ratio"
    better: ClassVar[Way] = "higher"
    exact: ClassVar[bool] = True

    cost: Literal["ingest", "query"] = Field("query", description="which of the two costs")

    def measure(self, trace: Trace) -> float | None:
        """Divide."""
        front = trace.fact("front")
        costs = [point[self.cost] for point in front["points"]] if front and front["met"] else []
        return max(costs) / min(costs) if costs and min(costs) else None


METRICS: tuple[type[Metric], ...] = (
    CallSeconds,
    FrontRange,
    FrontSize,
    IndexBytes,
    IngestCalls,
    IngestCost,
    IngestMultiplyAdds,
    Precision,
    QueryCalls,
    QueryLatency,
    Recall,
)


def _cpu(trace: Trace, name: str) -> float:
    return float(trace.spans(name).value.sum())


def _each(trace: Trace, span: str, counter: str) -> float | None:
    """CPU seconds of one of what a span did many times."""
    count = trace.total(counter)
    return _cpu(trace, span) / count if count else None


def _by_query(trace: Trace, name: str) -> Mapping[int, float]:
    found = trace.counts(name)
    return dict(zip(found.step.tolist(), found.value.tolist(), strict=True))
