"""A cell's trace for other programs: Perfetto's JSON trace format, and CSV."""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, TextIO

from harness.errors import HarnessError
from harness.store import Run
from harness.trace import COUNTER, NONE, SPAN, VALUE
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
        example = next((f", such as {cell.id!r}" for cell in cells or run.record.cells), "")
        raise HarnessError(f"{len(cells)} cells fit {pattern!r}; name one{example}")
    path = run.cell_folder(cells[0]) / "trace.parquet"
    if not path.exists():
        raise HarnessError(f"{cells[0].id} left no trace")
    trace = Trace.read(path)
    if form == "csv":
        write_csv(trace, file)
    else:
        json.dump(to_perfetto(trace), file)


def to_perfetto(trace: Trace) -> dict[str, Any]:
    """Spans as complete events, values and running totals as counters; times in microseconds.

    A thread is a worker; ``tid`` is its rank + 1, since viewers take a negative one for another thread's.
    Values that are not finite have no place in JSON and are left out.
    """
    origin = float(trace.events.start.min()) if len(trace.events) else 0.0
    rows: list[dict[str, Any]] = [
        {"ph": "M", "name": "thread_name", "pid": 0, "tid": worker + 1, "args": {"name": _thread(worker)}}
        for worker in trace.workers
    ]
    totals: defaultdict[tuple[str, int], float] = defaultdict(float)
    for kind, name, worker, peer, step, start, end, value in _rows(trace):
        row = {"name": name, "pid": 0, "tid": worker + 1, "ts": (start - origin) * 1e6}
        if kind == SPAN:
            arguments = {key: number for key, number in (("step", step), ("peer", peer)) if number != NONE}
            rows.append({**row, "ph": "X", "dur": (end - start) * 1e6, "args": arguments})
            continue
        if kind == COUNTER:
            value = totals[name, worker] = totals[name, worker] + value
        if math.isfinite(value):
            rows.append({**row, "ph": "C", "id": worker, "args": {name: value}})
    return {"traceEvents": rows, "displayTimeUnit": "ms"}


def write_csv(trace: Trace, file: TextIO) -> None:
    """One row an event, with a heading."""
    writer = csv.writer(file)
    writer.writerow(["kind", "name", "worker", "peer", "step", "start", "end", "value"])
    writer.writerows([KIND_NAMES[kind], *rest] for kind, *rest in _rows(trace))


def _rows(trace: Trace) -> Iterator[tuple[int, str, int, int, int, float, float, float]]:
    """Every event in plain Python: kind, name, worker, peer, step, start, end, value."""
    e = trace.events
    names = (trace.table[code] for code in e.name)
    columns = (column.tolist() for column in (e.worker, e.peer, e.step, e.start, e.end, e.value))
    return zip(e.kind.tolist(), names, *columns, strict=True)


def _thread(worker: int) -> str:
    return "cell" if worker == NONE else f"worker {worker}"
