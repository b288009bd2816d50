"""A cell's trace for other programs: Perfetto's JSON trace format, and CSV."""

from __future__ import annotations

import csv
import json
from fnmatch import fnmatchcase
from typing import Any, TextIO

from harness.errors import HarnessError
from harness.store import Run
from harness.trace import COUNTER, SPAN, VALUE
from harness.tracefile import Trace

KIND_NAMES = {SPAN: "span", COUNTER: "counter", VALUE: "value"}


def write_trace(run: Run, pattern: str, form: str, file: TextIO) -> None:
    """Write the trace of the one cell that fits, as ``perfetto`` or ``csv``."""
    if form not in ("perfetto", "csv"):
        raise HarnessError(f"--format: write perfetto or csv, not {form!r}")
    cells = [c for c in run.record.cells if c.id == pattern] or [
        c for c in run.record.cells if fnmatchcase(c.id, pattern)
    ]
    if len(cells) != 1:
        example = (cells or run.record.cells)[0].id
        raise HarnessError(f"{len(cells)} cells fit {pattern!r}; name one, such as {example!r}")
    path = run.cell_folder(cells[0]) / "trace.parquet"
    if not path.exists():
        raise HarnessError(f"{cells[0].id} left no trace")
    trace = Trace.read(path)
    if form == "csv":
        write_csv(trace, file)
    else:
        json.dump(to_perfetto(trace), file)


def to_perfetto(trace: Trace) -> dict[str, Any]:
    """Complete events for spans, counter events for values and running totals; times in microseconds."""
    events = trace.events
    origin = float(events.start.min()) if len(events) else 0.0
    rows: list[dict[str, Any]] = [
        {"ph": "M", "name": "thread_name", "pid": 0, "tid": w, "args": {"name": f"worker {w}" if w >= 0 else "cell"}}
        for w in trace.workers
    ]
    totals: dict[tuple[str, int], float] = {}
    for i, kind in enumerate(trace.kind):
        name, worker = str(trace.name[i]), int(events.worker[i])
        row = {"name": name, "pid": 0, "tid": worker, "ts": (float(events.start[i]) - origin) * 1e6}
        if kind == SPAN:
            arguments = {key: int(getattr(events, key)[i]) for key in ("step", "peer") if getattr(events, key)[i] >= 0}
            rows.append({**row, "ph": "X", "dur": float(events.end[i] - events.start[i]) * 1e6, "args": arguments})
            continue
        amount = float(events.value[i])
        if kind == COUNTER:
            amount = totals[name, worker] = totals.get((name, worker), 0.0) + amount
        rows.append({**row, "ph": "C", "id": worker, "args": {name: amount}})
    return {"traceEvents": rows, "displayTimeUnit": "ms"}


def write_csv(trace: Trace, file: TextIO) -> None:
    """One row an event, with a heading."""
    writer = csv.writer(file)
    writer.writerow(["kind", "name", "worker", "peer", "step", "start", "end", "value"])
    events = trace.events
    columns = (events.worker, events.peer, events.step, events.start, events.end, events.value)
    for kind, name, *rest in zip(trace.kind, trace.name, *columns, strict=True):
        writer.writerow([KIND_NAMES[int(kind)], name, *(item.item() for item in rest)])
