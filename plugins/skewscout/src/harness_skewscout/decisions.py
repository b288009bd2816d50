"""The report's section on SkewScout's decisions: what it found at every travel, and what it chose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from harness import Trace
from harness.report.curves import Curve
from harness.report.figures import lines

if TYPE_CHECKING:
    from harness.store import Run

TITLE = "SkewScout's decisions"
SHOWN = {
    "setting": "setting chosen for the next period",
    "accuracy_loss": "accuracy lost by travelling models",
    "communication": "bytes a minibatch, as a share of a full exchange",
}


def sections(run: Run) -> list[tuple[str, str]]:
    """A figure for each of what is shown, a line for each group of cells; no section where nothing was decided."""
    groups = _groups(run)
    figures = (
        lines(title, "minibatches", title, {name: _over_seeds(traces, value) for name, traces in groups.items()})
        for value, title in SHOWN.items()
    )
    return [(TITLE, "".join(figure.html for figure in figures))] if groups else []


def _groups(run: Run) -> Mapping[str, list[Trace]]:
    """The traces that hold decisions, by what differs besides the seed."""
    found: dict[str, list[Trace]] = {}
    for name, trace in _traces(run):
        if len(trace.values("setting")):
            found.setdefault(name, []).append(trace)
    return found


def _traces(run: Run) -> Iterator[tuple[str, Trace]]:
    for cell in run.record.cells:
        path = run.cell_folder(cell) / "trace.parquet"
        if cell.parallelizer.name.rpartition(":")[2] == "skewscout" and path.exists():
            name = f"{cell.suite}, {cell.workload.label}, {cell.parallelizer.label}, {cell.device.label}"
            yield name, Trace.read(path)


def _over_seeds(traces: list[Trace], name: str) -> Curve:
    """The median over seeds, between the lowest and the highest, as far as the shortest run goes."""
    values = [trace.values(name) for trace in traces]
    length = min(map(len, values))
    rows = np.array([events.value[:length] for events in values])
    steps = np.asarray(values[0].step[:length], dtype=float)
    return Curve(steps, np.median(rows, axis=0), rows.min(axis=0), rows.max(axis=0))
