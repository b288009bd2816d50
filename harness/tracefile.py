"""Reading traces: the shards of a cell's processes merged into one Parquet file, and questions about it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.intervals import Intervals, length, subtract, union
from harness.trace import COLUMNS, COUNTER, NONE, SPAN, VALUE

STORED = "trace.parquet"


def merge(folder: Path) -> Path:
    """Merge a folder's shards and facts into ``trace.parquet``, sorted by start; the shards go.

    A shard that a crash cut off is read up to its last whole batch. Where a worker stored the fact
    ``clock_offset`` its times are moved to rank 0's clock. A folder already merged stays as it is.
    """
    merged(folder)
    return folder / STORED


def merged(folder: Path) -> Trace:
    """The trace of a folder, its shards merged as ``merge`` does: what was just written is not read again."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / STORED
    shards, notes = sorted(folder.glob("shard-*.arrow")), sorted(folder.glob("facts-*.jsonl"))
    if path.exists() and not shards:
        return Trace.read(path)
    facts = [json.loads(line) for note in notes for line in _lines(note)]
    offsets = {f["worker"]: float(f["fact"]["seconds"]) for f in facts if f["name"] == "clock_offset"}
    tables = [_shard(shard, offsets) for shard in shards]
    table = pa.concat_tables([_empty(), *(t for t in tables if t is not None)]).sort_by("start")
    table = table.replace_schema_metadata({"facts": json.dumps(facts)})
    temporary = folder / f".{path.name}.{os.getpid()}"
    pq.write_table(table, temporary, compression="zstd")
    temporary.replace(path)
    for one in [*shards, *notes]:
        one.unlink()
    return Trace.of(table)


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
        except (pa.ArrowException, OSError):
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
    """Some events of a trace, sorted by start: equally long arrays, times in seconds.

    ``kind`` is one of ``harness.trace.SPAN``, ``COUNTER`` and ``VALUE``; ``name`` an index into ``Trace.table``.
    """

    kind: NDArray[np.uint8]
    name: NDArray[np.int32]
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

    def __init__(self, events: Events, table: Sequence[str], facts: list[dict[str, Any]]) -> None:
        self.events = events
        self.table = list(table)
        self.facts = facts

    @classmethod
    def read(cls, path: Path) -> Trace:
        """Read what ``merge`` wrote."""
        import pyarrow.parquet as pq

        # One thread: starting more costs a small trace more than they would read.
        with pq.ParquetFile(path, read_dictionary=["name"]) as file:
            return cls.of(file.read(use_threads=False))

    @classmethod
    def of(cls, table: Any) -> Trace:
        """Take what is in an Arrow table of events and its metadata."""
        names = table.column("name").dictionary_encode().unify_dictionaries().combine_chunks()
        columns = {c: table.column(c).to_numpy() for c in (*COLUMNS, "worker") if c != "name"}
        events = Events(name=names.indices.to_numpy(), **columns)
        return cls(events, names.dictionary.to_pylist(), json.loads(table.schema.metadata[b"facts"]))

    def names(self, kind: int) -> list[str]:
        """The names of the events of a kind (``harness.trace.SPAN``, ``COUNTER``, ``VALUE``)."""
        return sorted(self.table[code] for code in np.unique(self.events.name[self.events.kind == kind]))

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
        events = self.events
        code = self.table.index(name) if name in self.table else NONE
        mask = (events.kind == kind) & (events.name == code)
        return events.where(mask if worker is None else mask & (events.worker == worker))

    @property
    def workers(self) -> list[int]:
        """The ranks that wrote something; -1 is the cell's own process."""
        return [int(w) for w in np.unique(self.events.worker)]

    @cached_property
    def runs(self) -> Intervals:
        """When the work ran: the workers' spans ``run``, or the cell's own ``job`` where none was launched."""
        return union(self._ran.intervals)

    @cached_property
    def _ran(self) -> Events:
        launched = self.spans("run")
        return launched if len(launched) else self.spans("job")

    @cached_property
    def pauses(self) -> Intervals:
        """When everyone was paused for an evaluation."""
        return union([*self.spans("evaluate").intervals, *self.spans("prepare").intervals])

    @cached_property
    def active(self) -> Intervals:
        """When the work ran and was not paused; the time between two launches is in neither."""
        return subtract(self.runs, self.pauses)

    def active_seconds(self, until: float) -> float:
        """Seconds of work up to a moment, evaluation left out."""
        return length((start, min(end, until)) for start, end in self.active if start < until)

    def at_work(self, events: Events) -> Events:
        """The events that did not start while their own worker prepared or evaluated."""
        paused = np.zeros(len(events), bool)
        for worker in self.workers:
            spans = [*self.spans("evaluate", worker=worker).intervals, *self.spans("prepare", worker=worker).intervals]
            # In the sorted edges of disjoint intervals, what falls inside one comes after an odd number of them.
            edges = np.array(union(spans)).ravel()
            paused |= (events.worker == worker) & (np.searchsorted(edges, events.start, side="right") % 2 == 1)
        return events.where(~paused)

    @property
    def wall_seconds(self) -> float | None:
        """Seconds of work, preparation and evaluation left out; ``None`` if nothing ran to its end."""
        return length(self.active) if self.runs else None

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
        """CPU seconds of every worker's process, evaluation left out; ``None`` where one did not record its own."""
        ran, evaluated = self._ran, self.spans("evaluate")
        if not len(ran):
            return None
        # Only an evaluation inside a worker's run is in that run's CPU seconds.
        during = (evaluated.start >= ran.start.min()) & (evaluated.end <= ran.end.max())
        inside = evaluated.where(during & np.isin(evaluated.worker, ran.worker))
        seconds = float(ran.value.sum() - inside.value.sum())
        return seconds if math.isfinite(seconds) else None

    @property
    def not_finite(self) -> str | None:
        """The first recorded value that is not a finite number, in words."""
        bad = self.events.where((self.events.kind == VALUE) & ~np.isfinite(self.events.value))
        if not len(bad):
            return None
        step = int(bad.step[0])
        return f"{self.table[bad.name[0]]} is {bad.value[0]}" + (f" at step {step}" if step >= 0 else "")
