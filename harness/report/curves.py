"""What traces show over time: values by group of cells, bytes sent, and workers' spans; all of it thinned out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.records import CellSpec, GroupKey
from harness.store import Run
from harness.trace import NONE, SPAN, VALUE
from harness.tracefile import Events, Trace

POINTS = 60
MOST_SPANS = 400
MOST_SEEDS = 20  # of a group; more of them would change no picture
MOST_TRACES = 600  # of a run with many groups, which then share them
BYTES = ("bytes_sent", "link_bytes")
Floats = NDArray[np.float64]
Line = tuple[Floats, Floats]


@dataclass(frozen=True)
class Curve:
    """The median over seeds, and the lowest and highest seed, at each point of ``x``."""

    x: Floats
    median: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Span:
    """One worker's span, in seconds since the work began; ``encloses`` where others lie within it."""

    name: str
    worker: int
    start: float
    seconds: float
    encloses: bool = False


@dataclass
class Group:
    """What the traces of the cells that differ in their seed alone hold."""

    by_time: dict[str, list[Line]] = field(default_factory=dict)
    by_step: dict[str, list[Line]] = field(default_factory=dict)
    bytes: dict[str, list[float]] = field(default_factory=dict)
    timeline_of: str = ""
    timeline: list[Span] = field(default_factory=list)

    def add(self, cell: CellSpec, trace: Trace) -> None:
        """Take in one cell's trace; the first that launched workers gives the timeline."""
        clock = active_clock(trace)
        for name in trace.names(VALUE):
            values = _of_first_worker(trace.values(name))
            self.by_time.setdefault(name, []).append((clock(values.start), values.value))
            stepped = values.where(values.step >= 0)
            if len(stepped):
                self.by_step.setdefault(name, []).append((stepped.step.astype(np.float64), stepped.value))
        for name in BYTES:
            total = trace.total(name)
            if total is not None:
                self.bytes.setdefault(name, []).append(total)
        if not self.timeline and any(worker != NONE for worker in trace.workers):
            self.timeline_of, self.timeline = cell.id, spans(trace)


def read(run: Run) -> dict[GroupKey, Group]:
    """Read the traces of a run, one at a time; of a group with many seeds, or a run with many groups, the first."""
    groups: dict[GroupKey, Group] = {}
    most = max(1, min(MOST_SEEDS, MOST_TRACES // max(1, len({cell.group for cell in run.record.cells}))))
    taken: Counter[GroupKey] = Counter()
    for cell in run.record.cells:
        path = run.cell_folder(cell) / "trace.parquet"
        if taken[cell.group] < most and path.exists():
            taken[cell.group] += 1
            groups.setdefault(cell.group, Group()).add(cell, Trace.read(path))
    return groups


def active_clock(trace: Trace) -> Callable[[Floats], Floats]:
    """Turn moments into seconds of work, pauses left out."""
    if not trace.active:
        return lambda moments: moments - (moments[0] if len(moments) else 0.0)
    edges = np.array(trace.active)
    worked = np.concatenate([[0.0], np.cumsum(edges[:, 1] - edges[:, 0])])
    seconds = np.stack([worked[:-1], worked[1:]], axis=1)
    return lambda moments: np.interp(moments, edges.ravel(), seconds.ravel())


def curve(lines: Sequence[Line]) -> Curve | None:
    """Reduce the seeds' lines to a median and a band; ``None`` where there is no line of two points."""
    lines = [(x, y) for x, y in lines if len(np.unique(x)) > 1]
    if not lines:
        return None
    grid = np.unique(np.concatenate([x for x, _ in lines]))
    if len(grid) > POINTS:
        grid = np.linspace(grid[0], grid[-1], POINTS)
    values = np.array([np.interp(grid, x, y, left=np.nan, right=np.nan) for x, y in lines])
    # Where most seeds have ended or not begun, a median of the rest would mislead.
    kept = np.isfinite(values).sum(axis=0) * 2 > len(lines)
    grid, values = grid[kept], values[:, kept]
    if not len(grid):
        return None
    low, median, high = np.nanmin(values, axis=0), np.nanmedian(values, axis=0), np.nanmax(values, axis=0)
    return Curve(grid, median, low, high)


def spans(trace: Trace) -> list[Span]:
    """The workers' first spans from the beginning of their work on, in the order of their start."""
    events = trace.events
    events = events.where((events.kind == SPAN) & (events.worker >= 0) & (events.end > events.start))
    encloses = enclosing(events)
    working = trace.at_work(events.where(~encloses)).start
    begins = float(working.min()) if len(working) else 0.0
    return [
        Span(
            trace.table[events.name[i]],
            int(events.worker[i]),
            float(events.start[i]) - begins,
            float(events.end[i] - events.start[i]),
            bool(encloses[i]),
        )
        for i in np.argsort(events.start, kind="stable")
        if events.end[i] > begins
    ][:MOST_SPANS]


def enclosing(spans: Events) -> NDArray[np.bool_]:
    """Whether some other span of the same worker lies within each one; spans of a worker are nested or apart."""
    order = np.lexsort((-spans.end, spans.start, spans.worker))
    here, following = order[:-1], order[1:]
    found = np.zeros(len(order), bool)
    found[here] = (spans.worker[here] == spans.worker[following]) & (spans.end[following] <= spans.end[here])
    found[here] &= spans.start[following] < spans.end[here]
    return found


def _of_first_worker(events: Events) -> Events:
    return events.where(events.worker == events.worker.min()) if len(events) else events
