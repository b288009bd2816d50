"""The report's section on how Focus's savings change with the length of the stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from harness.report.curves import Curve
from harness.report.figures import lines
from harness_focus.tuning.selection import TARGET

if TYPE_CHECKING:
    from harness.store import Run

TITLE = "Savings over the length of the stream"
SHOWN = {
    "ingest, ingest-all over focus": ("ingest-all", "ingest_cost"),
    "a query, query-all over focus": ("query-all", "query_latency"),
    "a query, noscope over focus": ("noscope", "query_latency"),
}

Measured = Mapping[tuple[str, float, int], Mapping[str, float]]
Ratios = Mapping[float, list[float]]


def sections(run: Run) -> list[tuple[str, str]]:
    """A line for each saving; no section where all streams are of one length."""
    measured = _measured(run)
    curves = {name: _ratios(measured, *of) for name, of in SHOWN.items()}
    drawn = {name: _curve(ratios) for name, ratios in curves.items() if len(ratios) > 1}
    return [(TITLE, lines(TITLE, "minutes", "times less", drawn).html)] if drawn else []


def _measured(run: Run) -> Measured:
    """Metrics by parallelizer, minutes and seed; Focus's under its default policy alone."""
    return {
        (name, minutes, seed): metrics
        for name, policy, minutes, seed, metrics in _done(run)
        if name != "focus" or policy == "balance"
    }


def _done(run: Run) -> Iterator[tuple[str, str, float, int, Mapping[str, float]]]:
    for cell in run.record.cells:
        result, way = run.result(cell), cell.parallelizer
        if result is not None and result.outcome == "done" and "minutes" in cell.workload.parameters:
            metrics = {name: value for name, value in result.metrics.items() if value is not None}
            name, policy = way.name.rpartition(":")[2], str(way.parameters.get("policy", "balance"))
            yield name, policy, float(cell.workload.parameters["minutes"]), cell.seed, metrics


def _ratios(measured: Measured, other: str, metric: str) -> Ratios:
    """What the other took over what Focus took, by minutes; of queries only where the answers are right."""
    found: dict[float, list[float]] = {}
    for (name, minutes, seed), metrics in measured.items():
        beside = measured.get((other, minutes, seed), {})
        right = metric == "ingest_cost" or min(metrics.get(of, 0.0) for of in ("precision", "recall")) >= TARGET
        if name == "focus" and right and metrics.get(metric) and metric in beside:
            found.setdefault(minutes, []).append(beside[metric] / metrics[metric])
    return found


def _curve(ratios: Ratios) -> Curve:
    """The median over seeds, between the lowest and the highest."""
    ordered = sorted(ratios)
    columns = [np.array(ratios[minutes]) for minutes in ordered]
    median, low, high = (np.array([reduce(column) for column in columns]) for reduce in (np.median, np.min, np.max))
    return Curve(np.array(ordered), median, low, high)
