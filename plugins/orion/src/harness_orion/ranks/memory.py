"""What one rank holds of a loop's arguments, and how its turns see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness_orion.analysis.plan import Where
from harness_orion.arrays import Accumulator, DistArray, DistArrayBuffer
from harness_orion.compiling.views import own
from harness_orion.ranks.partitions import Division
from harness_orion.ranks.rotation import Rotation
from harness_orion.ranks.server import Client, Server, tables_of
from harness_orion.running.records import aligned_copy

if TYPE_CHECKING:
    from harness import Communicator, TraceWriter

Array = NDArray[Any]
Seen = tuple[list[Any], list[tuple[int, ...]]]


class Memory:
    """Parts along space, the blocks of the ring, served rows, and copies of all else.

    ``cache`` has the served arrays at full size, of which only the rows that are fetched take up memory.
    """

    def __init__(self, division: Division, arguments: Mapping[str, Any], comm: Communicator) -> None:
        plan = self.plan = division.plan
        self.division = division
        self.arguments = arguments
        self.arrays = {n: a.values for n, a in arguments.items() if isinstance(a, DistArray)}
        self.own = dict(zip(arguments, own(list(arguments.values())), strict=True))
        self.cuts = division.cuts(Where.SPACE)
        self.timed = division.cuts(Where.TIME)
        self.parts = {n: aligned_copy(self.arrays[n][c.index(comm.rank)]) for n, c in self.cuts.items()}
        self.rotation = None
        if plan.strategy == "2d":
            self.rotation = Rotation(division.ring(comm.rank), self.arrays, self.timed, comm)
        self.sums = {n: np.array(a.value) for n, a in arguments.items() if isinstance(a, Accumulator)}
        self.tables = tables_of(plan)
        self.buffers: dict[str, DistArrayBuffer] = {n: self.own[n] for n in plan.body.buffers}
        self.server = Server(self.tables, self.arrays, self.buffers, plan.body.buffers, comm)
        self.client = Client(self.server, comm)
        self.cache = {n: np.zeros(t.shape, self.arrays[n].dtype) for n, t in self.tables.items()}
        if self.tables and comm.size > 1:
            comm.serve(self.server.answer)

    def seen(self, turn: int, block: Mapping[str, Array]) -> Seen:
        """The arguments of a turn, and the index that each array begins with."""
        rank = self.server.rank
        here = {**self.arrays, **self.cache, **self.parts, **block}
        starts = {n: c.offset(rank) for n, c in self.cuts.items()} | {n: c.offset(turn) for n, c in self.timed.items()}
        given = [here.get(n, thing) for n, thing in self.own.items()]
        return given, [starts.get(n, (0,) * np.ndim(here.get(n, 0))) for n in self.own]

    def reduce(self, comm: Communicator) -> None:
        """Add what all ranks have accumulated to the arguments."""
        for name, argument in self.arguments.items():
            if isinstance(argument, Accumulator):
                mine = np.asarray(self.own[name].value)
                total = comm.all_reduce(np.atleast_1d(mine)).reshape(mine.shape)
                argument.value = argument.value + total[()]
                self.sums[name] = np.array(argument.value)
                self.own[name].value = np.zeros_like(mine)[()]

    def settle(self, trace: TraceWriter) -> None:
        """Wait for the blocks that are here between two passes."""
        if self.rotation:
            self.rotation.settle(trace)

    def state(self) -> Iterator[tuple[str, Any]]:
        """All that changes here, by name."""
        yield from ((f"part {n}", part) for n, part in self.parts.items())
        if self.rotation:
            for block, parts in sorted(self.rotation.held.items()):
                yield from ((f"block {block} {n}", part) for n, part in parts.items())
        yield from ((f"rows {n}", rows) for n, rows in self.server.rows.items())
        yield from ((f"sum {n}", total) for n, total in self.sums.items())
        if self.plan.strategy == "serial":
            yield from ((f"array {n}", array) for n, array in self.arrays.items())

    def loaded(self) -> None:
        """Let what was loaded into ``state`` be the arguments' too."""
        for name, total in self.sums.items():
            self.arguments[name].value = total[()].copy()

    def refresh(self) -> None:
        """Take from the arguments, as they are now, what this rank keeps of them."""
        rank = self.server.rank
        for name, cut in self.cuts.items():
            self.parts[name][...] = self.arrays[name][cut.index(rank)]
        for block, parts in self.rotation.held.items() if self.rotation else ():
            for name, cut in self.timed.items():
                parts[name][...] = self.arrays[name][cut.index(block)]
        for name, table in self.tables.items():
            whole = self.arrays[name].reshape(table.rows, table.width)
            self.server.rows[name][...] = whole[rank :: self.division.workers]

    def pieces(self) -> list[Array]:
        """What rank 0 needs of this rank, in the order of ``put``; the serial loop's arrays are there already."""
        blocks = self.rotation.held if self.rotation else {}
        timed = [part for _, parts in sorted(blocks.items()) for part in parts.values()]
        return [*self.parts.values(), *timed, *self.server.rows.values()]

    def count(self, rank: int, mine: Sequence[Any]) -> int:
        """How many pieces come from a rank, if so many are mine."""
        return len(mine) + len(self.timed) * (len(self._home(rank)) - len(self._home(0)))

    def put(self, rank: int, pieces: Sequence[Array]) -> Sequence[Array]:
        """Put a rank's pieces into the whole arrays; return those that are left."""
        left = iter(pieces)
        for name, cut in self.cuts.items():
            self.arrays[name][cut.index(rank)] = next(left)
        for block in sorted(self._home(rank)):
            for name, cut in self.timed.items():
                self.arrays[name][cut.index(block)] = next(left)
        for name, table in self.tables.items():
            whole = self.arrays[name].reshape(table.rows, table.width)
            whole[rank :: self.division.workers] = next(left)
            self.arrays[name][...] = whole.reshape(table.shape)
        return list(left)

    def _home(self, rank: int) -> list[int]:
        return self.division.ring(rank).home if self.rotation else []
