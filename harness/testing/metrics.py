"""Checks of a metric: on an empty trace, on real ones, and on one whose clock ran at half speed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from harness.components import Censored, Metric
from harness.registry import Offer
from harness.testing.cells import Bench, Pair
from harness.testing.declared import instance
from harness.testing.outcomes import Problem, Skip
from harness.testing.parallelizers import SMALL
from harness.tracefile import Events, Trace

SLOWER = 2.0
MOST_TRIED = 3  # cells that are run for a metric alone: each costs seconds, and perhaps a data set


def declares(offer: Offer) -> None:
    """It has a unit and a direction."""
    if not getattr(offer.thing, "unit", ""):
        raise Problem("no unit: write unit: ClassVar[str] = ...")
    if getattr(offer.thing, "better", "") not in ("lower", "higher"):
        raise Problem("better must be 'lower' or 'higher'")


def empty(offer: Offer) -> None:
    """An empty trace gives no number."""
    value = instance(offer).measure(_empty())
    if value is not None:
        raise Problem(f"an empty trace gives {value!r}: None is not measured, zero is a result")


def finite(bench: Bench, offer: Offer) -> None:
    """Real traces give a finite number, a bound, or nothing."""
    metric = instance(offer)
    for _, trace in traces(bench, offer):
        value = metric.measure(trace)
        bound = value.bound if isinstance(value, Censored) else value
        if bound is not None and not (isinstance(bound, (int, float, np.number)) and math.isfinite(bound)):
            raise Problem(f"a real trace gives {value!r}, not a finite number, Censored or None")


def clock(bench: Bench, offer: Offer) -> None:
    """What the clock changes is declared as timed."""
    metric: Metric = instance(offer)
    for _, trace in traces(bench, offer):
        slower = replace(trace.events, start=trace.events.start * SLOWER, end=trace.events.end * SLOWER)
        fast, slow = metric.measure(trace), metric.measure(Trace(slower, trace.table, trace.facts))
        if fast != slow:
            raise Problem(f"a slower clock turns {fast} into {slow}: write timed: ClassVar[bool] = True")


def alone(bench: Bench, offer: Offer) -> None:
    """A timed metric is not measured while cells share the machine."""
    instance(offer)
    for pair, _ in traces(bench, offer):
        value = bench.ran(pair, SMALL, alone=False, metric=offer.qualified).metrics.get(offer.qualified)
        if value is not None:
            raise Problem(f"measured beside other cells: {value}")
        return


def exact(bench: Bench, offer: Offer) -> None:
    """An exact metric is the same each time for one seed."""
    metric: Metric = instance(offer)
    for pair, trace in traces(bench, offer):
        one, two = metric.measure(trace), metric.measure(bench.ran(pair, SMALL, repeat=1).done)
        if one != two:
            raise Problem(f"declared exact, and gives {one} and {two} for one seed")


BY_ITSELF: dict[str, Callable[[Offer], None]] = {"declares": declares, "empty": empty}


def on_cells(offer: Offer) -> dict[str, Callable[[Bench, Offer], None]]:
    """The checks on cells, those that fit what the metric declares."""
    checks: dict[str, Callable[[Bench, Offer], None]] = {"finite": finite}
    checks |= {"alone": alone} if offer.thing.timed else {"clock": clock}
    return checks | ({"exact": exact} if offer.thing.exact else {})


def _empty() -> Trace:
    integers = {name: np.empty(0, np.int64) for name in ("kind", "name", "worker", "peer", "step")}
    numbers = {name: np.empty(0) for name in ("start", "end", "value")}
    return Trace(Events(**integers, **numbers), [], [])  # type: ignore[arg-type]


def traces(bench: Bench, offer: Offer) -> Iterator[tuple[Pair, Trace]]:
    """Every small cell that was run already, and more, the cheapest first, until the metric finds its number in one.

    They are of the plugin's own parallelizers, or of everybody's where it has none.
    """
    metric: Metric = instance(offer)
    reason, tried, measured = "there is no parallelizer for its traces", 0, False
    for pair in _pairs(bench, offer):
        if (measured or tried == MOST_TRIED) and not bench.kept(pair, SMALL):
            return
        try:
            trace = bench.ran(pair, SMALL).done
        except Skip as skip:
            reason = str(skip)
            continue
        tried += 1
        yield pair, trace
        measured = measured or metric.measure(trace) is not None
    if not tried:
        raise Skip(reason)


def _pairs(bench: Bench, offer: Offer) -> list[Pair]:
    """The pairs that may show a metric's number: those that were run, then those that import least.

    Of these a parallelizer's first workload comes before any one's second.
    """
    everyone = bench.registry.of_kind("parallelizer")
    mine = [parallelizer for parallelizer in everyone if parallelizer.plugin == offer.plugin]
    pairs = [ranked for parallelizer in mine or everyone for ranked in enumerate(bench.pairs(parallelizer))]
    pairs.sort(key=lambda ranked: (not bench.kept(ranked[1], SMALL), len(ranked[1].imports), ranked[0]))
    return [pair for _, pair in pairs]
