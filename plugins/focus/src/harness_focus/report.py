"""The report's section on what Focus could choose: the front of ingest and query cost, and what policies took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from harness import Trace
from harness.report.figures import COLOURS, SYMBOLS, Figure

if TYPE_CHECKING:
    from harness.records import CellSpec
    from harness.store import Run

TITLE = "Ingest cost against query cost"
AXES = "ingest, in calls of the expensive network", "a query, in calls of the expensive network"

Point = Mapping[str, Any]


@dataclass
class Front:
    """What was found for one stream: the points that were open to it, and by cell the one that was taken."""

    met: bool
    points: Sequence[Point]
    taken: dict[str, Point] = field(default_factory=dict)


def sections(run: Run) -> list[tuple[str, str]]:
    """A figure for each workload's first seed; no section where nothing was chosen."""
    figures = "".join(_figure(title, front).html for title, front in _fronts(run).items())
    return [(TITLE, figures)] if figures else []


def _fronts(run: Run) -> Mapping[str, Front]:
    found: dict[str, Front] = {}
    seeds: dict[tuple[str, str], int] = {}
    for cell, stored in _stored(run):
        if seeds.setdefault((cell.suite, cell.workload.label), cell.seed) == cell.seed:
            title = f"{cell.suite}, {cell.workload.label}, seed {cell.seed}"
            front = found.setdefault(title, Front(stored["met"], stored["points"]))
            front.taken[cell.parallelizer.label] = next(point for point in stored["points"] if point["taken"])
    return found


def _stored(run: Run) -> Iterator[tuple[CellSpec, Mapping[str, Any]]]:
    """The cells that chose, and what they chose from."""
    for cell in run.record.cells:
        path = run.cell_folder(cell) / "trace.parquet"
        if path.exists() and (stored := Trace.read(path).fact("front")):
            yield cell, stored


def _figure(title: str, front: Front) -> Figure:
    open_to = sorted(front.points, key=lambda point: float(point["ingest"]))
    traces = [_marks("the front", open_to, 0, mode="lines+markers")]
    for index, (way, point) in enumerate(sorted(front.taken.items()), 1):
        traces.append(_marks(way, [point], index, mode="markers"))
    x, y = ({"title": {"text": text}, "rangemode": "tozero", "automargin": True} for text in AXES)
    what = "settings that surely meet the target" if front.met else "none surely meets the target; the surest settings"
    return Figure(f"{title}: {what}", traces, x, y)


def _marks(name: str, points: Sequence[Point], index: int, *, mode: str) -> dict[str, Any]:
    colour, symbol = COLOURS[index % len(COLOURS)], SYMBOLS[index % len(SYMBOLS)]
    return {
        "type": "scatter",
        "mode": mode,
        "name": escape(name, quote=False),
        "x": [float(f"{point['ingest']:.6g}") for point in points],
        "y": [float(f"{point['query']:.6g}") for point in points],
        "text": [escape(str(point["setting"]), quote=False) for point in points],
        "hovertemplate": "%{text}<br>%{x}, %{y}",
        "marker": {"color": colour, "symbol": symbol, "size": 9 + 4 * index},
        "line": {"color": colour, "dash": "dot"},
    }
