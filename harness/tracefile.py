"""Reading traces: the shards of a cell's processes merged into one Parquet file, and questions about it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.trace import COLUMNS, COUNTER, SPAN, VALUE

Intervals = list[tuple[float, float]]


def merge(folder: Path) -> Path:
    """Merge a folder's shards and facts into ``trace.parquet``, sorted by start; the shards go.

    A shard that a crash cut off is read up to its last whole batch. Where a worker stored the fact
    ``clock_offset`` its times are moved to rank 0's clock.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    facts = [json.loads(line) for path in sorted(folder.glob("facts-*.jsonl")) for line in _lines(path)]
    offsets = {f["worker"]: float(f["fact"]["seconds"]) for f in facts if f["name"] == "clock_offset"}
    shards = sorted(folder.glob("shard-*.arrow"))
    tables = [_shard(path, offsets) for path in shards]
    table = pa.concat_tables([_empty(), *(t for t in tables if t is not None)]).sort_by("start")
    table = table.replace_schema_metadata({"facts": json.dumps(facts)})
    path = folder / "trace.parquet"
    pq.write_table(table, path.with_suffix(".tmp"), compression="zstd")
    path.with_suffix(".tmp").replace(path)
    for shard in [*shards, *folder.glob("facts-*.jsonl")]:
        shard.unlink()
    return path


def _lines(path: Path) -> list[str]:
    """The whole lines of a file; a last one without its end was cut off."""
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def _types() -> dict[str, Any]:
    import pyarrow as pa

    integers = {"kind": pa.uint8(), "name": pa.string(), "peer": pa.int32(), "step": pa.int64()}
    return {**integers, "start": pa.float64(), "end": pa.float64(), "value": pa.float64(), "worker": pa.int32()}


def _empty() -> Any:
    import pyarrow as pa

    return pa.schema(_types().items()).empty_table()


def _shard(path: Path, offsets: dict[int, float]) -> Any:
    import pyarrow as pa

    batches = []
    with path.open("rb") as file:
        try:
            for batch in pa.ipc.open_stream(file):
                batches.append(pa.Table.from_batches([batch]))
        except (pa.ArrowInvalid, OSError):
            pass  # Cut off by a crash: what came before it is whole.
    if not batches:
        return None
    worker = int(path.stem.removeprefix("shard-"))
    whole = [b.set_column(1, "name", b.column("name").cast(pa.string())) for b in batches]
    table = pa.concat_tables(whole)
    table = table.append_column("worker", pa.array(np.full(len(table), worker, np.int32)))
    for column in ("start", "end") if worker in offsets else ():
        moved = table.column(column).to_numpy() + offsets[worker]
        table = table.set_column(table.column_names.index(column), column, pa.array(moved))
    return table


@dataclass(frozen=True)
class Events:
    """Some events of a trace, sorted by start: equally long arrays, times in seconds."""

    worker: NDArray[np.int32]
    peer: NDArray[np.int32]
    step: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    value: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.start)

    def where(self, mask: NDArray[np.bool_]) -> Events:
        """The events that a mask keeps."""
        return Events(**{f.name: getattr(self, f.name)[mask] for f in fields(self)})

    @property
    def intervals(self) -> Intervals:
        """Start and end of each event."""
        return list(zip(self.start.tolist(), self.end.tolist(), strict=True))


class Trace:
    """One cell's whole trace, in memory."""

    def __init__(
        self, events: Events, kind: NDArray[np.uint8], name: NDArray[Any], facts: list[dict[str, Any]]
    ) -> None:
        self.events = events
        self.kind = kind
        self.name = name
        self.facts = facts

    @classmethod
    def read(cls, path: Path) -> Trace:
        """Read what ``merge`` wrote."""
        import pyarrow.parquet as pq

        table = pq.read_table(path)
        columns = {c: table.column(c).to_numpy() for c in (*COLUMNS, "worker")}
        kind, name = columns.pop("kind"), columns.pop("name")
        return cls(Events(**columns), kind, name, json.loads(table.schema.metadata[b"facts"]))

    def names(self, kind: int) -> list[str]:
        """The names of the events of a kind (``harness.trace.SPAN``, ``COUNTER``, ``VALUE``)."""
        return sorted(set(self.name[self.kind == kind]))

    def fact(self, name: str) -> dict[str, Any]:
        """The last fact of that name; empty if there is none."""
        found: list[dict[str, Any]] = [fact["fact"] for fact in self.facts if fact["name"] == name]
        return found[-1] if found else {}

    def spans(self, name: str, *, worker: int | None = None) -> Events:
        """The spans of that name."""
        return self._select(SPAN, name, worker)

    def values(self, name: str, *, worker: int | None = None) -> Events:
        """The recorded values of that name."""
        return self._select(VALUE, name, worker)

    def counts(self, name: str, *, worker: int | None = None) -> Events:
        """The increments of a counter."""
        return self._select(COUNTER, name, worker)

    def total(self, name: str, *, worker: int | None = None) -> float | None:
        """A counter's sum; ``None``, never zero, where nothing counted."""
        found = self.counts(name, worker=worker)
        return float(found.value.sum()) if len(found) else None

    def last(self, name: str) -> float | None:
        """The last recorded value of that name."""
        found = self.values(name)
        return float(found.value[-1]) if len(found) else None

    def _select(self, kind: int, name: str, worker: int | None) -> Events:
        mask = (self.kind == kind) & (self.name == name)
        return self.events.where(mask if worker is None else mask & (self.events.worker == worker))

    @property
    def workers(self) -> list[int]:
        """The ranks that wrote something; -1 is the cell's own process."""
        return [int(w) for w in np.unique(self.events.worker)]

    @cached_property
    def runs(self) -> Intervals:
        """When the work ran: the workers' spans ``run``, or the cell's own ``job`` where none was launched."""
        launched = self.spans("run")
        return union((launched if len(launched) else self.spans("job")).intervals)

    @cached_property
    def pauses(self) -> Intervals:
        """When everyone was paused for an evaluation."""
        return union([*self.spans("evaluate").intervals, *self.spans("prepare").intervals])

    def active_seconds(self, until: float) -> float:
        """Seconds of work up to a moment, evaluation left out."""
        ran = [(a, min(b, until)) for a, b in self.runs if a < until]
        return length(ran) - sum(overlap(run, pause) for run in ran for pause in self.pauses)

    @property
    def wall_seconds(self) -> float | None:
        """Seconds of work, preparation and evaluation left out; ``None`` if nothing ran to its end."""
        return self.active_seconds(self.runs[-1][1]) if self.runs else None

    @property
    def total_seconds(self) -> float | None:
        """Seconds from the first event to the last."""
        return float(self.events.end.max() - self.events.start.min()) if len(self.events) else None

    @property
    def prepare_seconds(self) -> float | None:
        """Seconds of the cell's own preparation."""
        spans = self.spans("prepare", worker=-1)
        return length(union(spans.intervals)) if len(spans) else None

    @property
    def cpu_seconds(self) -> float | None:
        """CPU seconds of every worker's process, evaluation left out."""
        runs = self.spans("run")
        runs = runs if len(runs) else self.spans("job")
        return float(runs.value.sum() - self.spans("evaluate").value.sum()) if len(runs) else None

    @property
    def not_finite(self) -> str | None:
        """The first recorded value that is not a finite number, in words."""
        bad = np.flatnonzero((self.kind == VALUE) & ~np.isfinite(self.events.value))
        if not len(bad):
            return None
        step = int(self.events.step[bad[0]])
        return f"{self.name[bad[0]]} is {self.events.value[bad[0]]}" + (f" at step {step}" if step >= 0 else "")


def union(intervals: Iterable[tuple[float, float]]) -> Intervals:
    """The same points in time as disjoint intervals, in order."""
    merged: Intervals = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def length(intervals: Iterable[tuple[float, float]]) -> float:
    """The measure of disjoint intervals."""
    return sum(end - start for start, end in intervals)


def overlap(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The measure of what two intervals share."""
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
