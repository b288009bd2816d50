"""How a turn gets the rows of served arrays that it touches, and sends back what it has changed."""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness_orion.ranks.prefetch import Prefetch, Rows
from harness_orion.ranks.server import Table
from harness_orion.running.packing import Packed

if TYPE_CHECKING:
    from harness import TraceWriter
    from harness_orion.ranks.memory import Memory

Prefetching = Literal["on", "off", "cached"]
Array = NDArray[Any]


class Served:
    """One rank's dealings with the served arrays."""

    def __init__(
        self, memory: Memory, packed: Packed, body: FunctionType, prefetch: Prefetching, trace: TraceWriter
    ) -> None:
        self._memory = memory
        self._packed = packed
        self._how = prefetch
        self._trace = trace
        self._prefetch = Prefetch(body, memory.plan.body, memory.arguments, memory.tables) if memory.tables else None
        self._known: dict[tuple[int, int], dict[str, Rows]] = {}
        self._written = [t for n, t in memory.tables.items() if memory.plan.body.is_written(n)]
        self._before: list[tuple[Table, Rows, Array]] = []
        delays = [b.max_delay for b in memory.buffers.values() if b.max_delay is not None]
        self._delay = min(delays, default=None)
        self._flush_at = 0

    @property
    def active(self) -> bool:
        """Whether anything is served."""
        return bool(self._memory.tables)

    def stretches(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Divide a turn into what runs with one fetch: up to where changes must leave, or an iteration."""
        delay = self._delay or max(1, stop - start)
        step = 1 if self._how == "off" and self.active else delay
        for first in range(start, stop, delay):
            self._flush_at = min(first + delay, stop)
            for at in range(first, self._flush_at, step):
                yield at, min(at + step, self._flush_at)

    def fetch(self, start: int, stop: int) -> None:
        """Bring the rows that entries [start, stop) touch."""
        if self._prefetch is None:
            return
        memory = self._memory
        with self._trace.span("prefetch"):
            rows = self._rows(self._prefetch, start, stop)
            for name, table in memory.tables.items():
                for asked in self._requests(name, rows[name]):
                    memory.client.fetch(table, asked, self._cache(name))
            self._before = [(t, rows[t.name], self._cache(t.name)[rows[t.name]]) for t in self._written]

    def give_back(self, stop: int) -> None:
        """Send what has changed, and what buffers hold when it is their time."""
        if not self.active and not self._memory.buffers:
            return
        with self._trace.span("flush"):
            for table, rows, before in self._before:
                self._send_changes(table, rows, before)
            if stop == self._flush_at:
                self._flush()

    def _rows(self, prefetch: Prefetch, start: int, stop: int) -> dict[str, Rows]:
        found = self._known.get((start, stop)) or prefetch.rows(self._packed, start, stop)
        if self._how == "cached":
            self._known[start, stop] = found
        return found

    def _requests(self, name: str, rows: Rows) -> list[Rows]:
        """All rows at once, or each by itself; an array of which nothing is known beforehand comes at once."""
        assert self._prefetch is not None
        if self._how != "off" or name in self._prefetch.whole:
            return [rows]
        return [rows[n : n + 1] for n in range(len(rows))]

    def _cache(self, name: str) -> Array:
        table = self._memory.tables[name]
        return self._memory.cache[name].reshape(table.rows, table.width)

    def _send_changes(self, table: Table, rows: Rows, before: Array) -> None:
        now = self._cache(table.name)[rows]
        changed = np.flatnonzero(~_same(before, now).ravel())
        elements = rows[changed // table.width] * table.width + changed % table.width
        self._memory.client.store(table, elements, now.ravel()[changed])

    def _flush(self) -> None:
        """Send what each buffer holds, and let it start anew with those beside it."""
        memory = self._memory
        for number, (name, buffer) in enumerate(memory.buffers.items()):
            if memory.plan.strategy == "serial":
                buffer.flush()
                continue
            elements = np.flatnonzero(buffer.written)
            updates = [b.values.reshape(-1)[elements] for b in buffer.buffers]
            width = memory.tables[memory.plan.body.buffers[name][0]].width
            memory.client.flush(number, width, elements, updates)
            for beside in buffer.buffers:
                beside.values[beside.written] = beside.init
                beside.written[...] = False


def _same(a: Array, b: Array) -> Array:
    """Where two arrays are equal, or both not a number."""
    same: Array = (a == b) | ((a != a) & (b != b))
    return same
