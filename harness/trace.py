"""Writing traces: the append-only, timestamped record that one cell leaves.

Every process of a cell writes a shard of its own; ``harness.tracefile`` merges and reads them.
An event is one packed row: a span (something took from start to end), a counter (an amount was
added) or a value (a quantity had this value at this step). Names with a meaning to the core:

====================  =======  ==========================================================
``prepare``           span     set-up, left out of every time metric
``run``               span     one worker's share of the work; value: CPU seconds of its process
``evaluate``          span     measuring the answer, everyone paused; value: CPU seconds
``samples``           counter  training samples processed
``bytes_sent``        counter  payload bytes handed to ``peer``
``link_bytes``        counter  bytes an interface counted
``loss, accuracy``    value    quality of the answer at ``step``
====================  =======  ==========================================================
"""

from __future__ import annotations

import json
import math
import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.errors import HarnessError

SPAN, COUNTER, VALUE = 0, 1, 2
ROW = struct.Struct("<BHiqddd")  # kind, name, peer, step, start, end, value
COLUMNS = ("kind", "name", "peer", "step", "start", "end", "value")
FORMATS = ("u1", "<u2", "<i4", "<i8", "<f8", "<f8", "<f8")
FLUSH_BYTES = ROW.size * 50_000
LIMIT_BYTES = 256 * 2**20
MOST_NAMES = 2**16 - 1
NONE = -1
NAN = math.nan


class TraceTooLarge(HarnessError):
    """A cell wrote more than ``LIMIT_BYTES`` of trace."""


class TraceWriter:
    """Append events to one shard; about half a microsecond each.

    ``clock`` gives seconds (monotonic, or a device's virtual time), ``cpu_clock`` CPU seconds of this
    worker (its process's, or its thread's). ``worker`` is the rank, -1 for the cell's own process.
    Without a ``folder`` nothing is stored (warm-up runs, unit tests).
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        worker: int = NONE,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self.clock = clock
        self.cpu_clock = cpu_clock
        self.worker = worker
        self.folder = folder
        self.began = clock()
        self.paused = 0.0
        self.not_finite: str | None = None
        self.latest: dict[str, float] = {}
        self._names: dict[str, int] = {}
        self._rows = bytearray()
        self._written = 0
        self._stream: Any = None

    def span(self, name: str, *, step: int = NONE, peer: int = NONE, value: float = NAN) -> Span:
        """Time a ``with`` block."""
        return Span(self, name, step, peer, value)

    def add_span(
        self, name: str, start: float, end: float, *, step: int = NONE, peer: int = NONE, value: float = NAN
    ) -> None:
        """Record a span whose ends, in this clock's seconds, are already known."""
        self._append(SPAN, name, peer, step, start, end, value)

    def count(self, name: str, amount: float, *, step: int = NONE, peer: int = NONE) -> None:
        """Add ``amount`` to a counter."""
        now = self.clock()
        self._append(COUNTER, name, peer, step, now, now, amount)

    def value(self, name: str, value: float, *, step: int = NONE) -> None:
        """Record that a quantity has this value now; one that is not finite fails the cell."""
        now = self.clock()
        value = float(value)
        if not math.isfinite(value) and self.not_finite is None:
            self.not_finite = f"{name} is {value}" + (f" at step {step}" if step >= 0 else "")
        self.latest[name] = value
        self._append(VALUE, name, NONE, step, now, now, value)

    def fact(self, name: str, fact: Mapping[str, Any]) -> None:
        """Keep something that is no number, such as a plan; it must be JSON."""
        if self.folder is not None:
            with (self.folder / f"facts-{self.worker}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps({"name": name, "worker": self.worker, "fact": fact}) + "\n")

    def begin(self) -> None:
        """Start the clock that budgets go by."""
        self.began = self.clock()
        self.paused = 0.0

    def elapsed(self) -> float:
        """Seconds since ``begin``, evaluation left out."""
        return self.clock() - self.began - self.paused

    def flush(self) -> None:
        """Write what is in memory as one batch; a crash then loses at most what came after."""
        if not self._rows:
            return
        over = self._written > LIMIT_BYTES
        self._written += len(self._rows)
        if self.folder is not None and not over:
            self._write_batch()
        self._rows.clear()
        if self._written > LIMIT_BYTES and not over:
            raise TraceTooLarge(f"more than {LIMIT_BYTES // 2**20} MB of trace: record once a batch or epoch")

    def close(self) -> None:
        """Flush and end the shard."""
        self.flush()
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _append(self, kind: int, name: str, peer: int, step: int, start: float, end: float, value: float) -> None:
        names = self._names
        code = names.get(name)
        if code is None:
            if len(names) > MOST_NAMES:
                raise HarnessError(f"more than {MOST_NAMES} names of events: put what varies into step or a fact")
            code = names[name] = len(names)
        self._rows += ROW.pack(kind, code, peer, step, start, end, value)
        if len(self._rows) >= FLUSH_BYTES:
            self.flush()

    def _write_batch(self) -> None:
        import numpy as np
        import pyarrow as pa

        assert self.folder is not None
        rows = np.frombuffer(self._rows, dtype=np.dtype({"names": list(COLUMNS), "formats": list(FORMATS)}))
        names = pa.array(list(self._names))
        columns = [
            pa.DictionaryArray.from_arrays(pa.array(rows[column].astype(np.int32)), names)
            if column == "name"
            else pa.array(np.ascontiguousarray(rows[column]))
            for column in COLUMNS
        ]
        batch = pa.RecordBatch.from_arrays(columns, names=list(COLUMNS))
        if self._stream is None:
            self._stream = pa.ipc.new_stream(self.folder / f"shard-{self.worker}.arrow", batch.schema)
        self._stream.write_batch(batch)


class Span:
    """A timed ``with`` block; set ``value`` inside it to store a number with the span."""

    __slots__ = ("_name", "_peer", "_start", "_step", "_trace", "value")

    def __init__(self, trace: TraceWriter, name: str, step: int, peer: int, value: float) -> None:
        self._trace = trace
        self._name = name
        self._step = step
        self._peer = peer
        self.value = value
        self._start = 0.0

    def __enter__(self) -> Span:
        if self._name == "evaluate":
            self.value = -self._trace.cpu_clock()
        self._start = self._trace.clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        trace = self._trace
        end = trace.clock()
        if self._name == "evaluate":
            self.value += trace.cpu_clock()
            trace.paused += end - self._start
        trace._append(SPAN, self._name, self._peer, self._step, self._start, end, self.value)
