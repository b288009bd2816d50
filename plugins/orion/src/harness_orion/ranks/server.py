"""Served arrays: each rank keeps some of the rows, and answers who asks for them or changes them.

A row is what every access takes whole: the trailing axes that are always sliced. Row ``r`` is with rank ``r mod
ranks``, so that rows in demand, which often lie side by side, are spread. Changes through a buffer are applied element
by element where the element lives; requests are answered one at a time, so that each is atomic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness_orion.analysis.plan import Plan, Where
from harness_orion.arrays import DistArrayBuffer, add_update
from harness_orion.reading.affine import ANY

if TYPE_CHECKING:
    from harness import Communicator

Array = NDArray[Any]
FETCH, STORE, FLUSH = range(3)


@dataclass(frozen=True)
class Table:
    """A served array as rows of ``width`` elements; the first ``axes`` axes number the rows."""

    name: str
    shape: tuple[int, ...]
    axes: int

    @property
    def width(self) -> int:
        """Elements a row."""
        return prod(self.shape[self.axes :])

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return prod(self.shape[: self.axes])


def tables_of(plan: Plan) -> dict[str, Table]:
    """The served arrays of a plan; those that a buffer changes together have rows alike, and so are with one rank."""
    body = plan.body
    axes = {p.array: _row_axes(p.array, plan) for p in plan.placements if p.where is Where.SERVER}
    for _ in axes:  # Buffers may chain groups together.
        for group in body.buffers.values():
            axes.update(dict.fromkeys(group, max(axes[name] for name in group)))
    return {name: Table(name, body.arrays[name].shape, count) for name, count in axes.items()}


def _row_axes(array: str, plan: Plan) -> int:
    shape = plan.body.arrays[array].shape
    whole = [all(a.subscripts[axis] is ANY for a in plan.body.of(array)) for axis in range(len(shape))]
    count = len(shape)
    while count > 1 and whole[count - 1]:
        count -= 1
    return count


class Server:
    """The rows that one rank keeps."""

    def __init__(
        self,
        tables: Mapping[str, Table],
        arrays: Mapping[str, Array],
        buffers: Mapping[str, DistArrayBuffer],
        groups: Mapping[str, Sequence[str]],
        comm: Communicator,
    ) -> None:
        self.tables = list(tables.values())
        self.rows = {
            t.name: np.array(arrays[t.name].reshape(t.rows, t.width)[comm.rank :: comm.size], order="C")
            for t in self.tables
        }
        self._buffers = list(buffers.values())
        self._groups = [[self.rows[name] for name in groups[buffer]] for buffer in buffers]
        self._shapes = [b.target.shape for b in self._buffers]
        self.rank = comm.rank
        self._comm = comm
        self._lock = Lock()

    def answer(self, source: int, arrays: Sequence[Array]) -> Sequence[Array]:
        """Answer one request: what is asked, of which table or buffer, the places, and values."""
        (what, number), places, *values = arrays
        with self._lock:
            if what == FETCH:
                return [self.rows[self.tables[number].name][places]]
            if what == STORE:
                self._store(self.rows[self.tables[number].name], places, *values)
            else:
                self._apply(number, places, values)
        return []

    def _store(self, rows: Array, places: Array, values: Array) -> None:
        rows.reshape(-1)[places] = values

    def _apply(self, number: int, places: Array, updates: Sequence[Array]) -> None:
        """Apply a buffer's changes; ``places`` are elements of the whole array."""
        buffer, arrays = self._buffers[number], [a.reshape(-1) for a in self._groups[number]]
        width = self._groups[number][0].shape[1]
        local = places // width // self._comm.size * width + places % width
        if buffer.apply is add_update:
            arrays[0][local] += updates[0]
            return
        keys = np.unravel_index(places, self._shapes[number])
        for n, place in enumerate(local):
            key = tuple(int(axis[n]) for axis in keys)
            new = buffer.apply(key, *(a[place] for a in arrays), *(u[n] for u in updates))
            for array, value in zip(arrays, new if isinstance(new, tuple) else (new,), strict=False):
                array[place] = value


class Client:
    """Asks the ranks for rows, itself without a message."""

    def __init__(self, server: Server, comm: Communicator) -> None:
        self._server = server
        self._comm = comm
        self._number = {t.name: n for n, t in enumerate(server.tables)}

    def fetch(self, table: Table, rows: Array, into: Array) -> None:
        """Bring rows into their places of an array of all rows: one request a rank."""
        for owner, mine in self._by_owner(rows):
            chosen = rows[mine]
            (found,) = self._ask(owner, FETCH, self._number[table.name], chosen // self._comm.size)
            into[chosen] = found

    def store(self, table: Table, elements: Array, values: Array) -> None:
        """Send new values of some elements, numbered in the whole array."""
        rows, columns = elements // table.width, elements % table.width
        for owner, mine in self._by_owner(rows):
            local = rows[mine] // self._comm.size * table.width + columns[mine]
            self._ask(owner, STORE, self._number[table.name], local, values[mine])

    def flush(self, number: int, width: int, elements: Array, updates: Sequence[Array]) -> None:
        """Send the changes that a buffer holds for some elements."""
        for owner, mine in self._by_owner(elements // width):
            self._ask(owner, FLUSH, number, elements[mine], *(u[mine] for u in updates))

    def _by_owner(self, rows: Array) -> list[tuple[int, Array]]:
        owners = rows % self._comm.size
        found = [(owner, owners == owner) for owner in range(self._comm.size)]
        return [(owner, mine) for owner, mine in found if mine.any()]

    def _ask(self, owner: int, what: int, number: int, *arrays: Array) -> Sequence[Array]:
        message = [np.array([what, number]), *arrays]
        if owner == self._comm.rank:
            return self._server.answer(owner, message)
        return self._comm.request(message, owner)
