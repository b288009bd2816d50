"""A loop over the ranks of a communicator: each keeps its part of the arrays, and runs its part of the entries.

Arrays aligned with the space dimension stay where they are, those aligned with time go round a ring (``rotation``),
those that are only read are on every rank, and the others are served (``server``): fetched before a turn, sent back
after.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import HarnessError, TraceWriter
from harness_orion.analysis.plan import Plan
from harness_orion.arrays import Accumulator, DistArray
from harness_orion.compiling.files import COMPILING
from harness_orion.compiling.kernel import build_kernel
from harness_orion.loop import Loop
from harness_orion.ranks.checkpoints import Checkpoints
from harness_orion.ranks.memory import Memory
from harness_orion.ranks.partitions import divide
from harness_orion.ranks.served import Prefetching, Served
from harness_orion.reading.binding import bind
from harness_orion.reading.values import SPACE
from harness_orion.running.packing import columns, pack, repack
from harness_orion.running.tiles import arranged

if TYPE_CHECKING:
    from harness import Communicator

GATHER = 2**40


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a loop is distributed.

    ``blocks``: time blocks a rank, more than one so that some travel while another is worked on. ``balanced``: parts
    hold about equal numbers of entries, not of indices. ``prefetch`` of served arrays: "on" asks each rank once a
    turn for all that it will touch, "cached" finds out what that is in the first pass only, "off" asks row by row.
    ``tiled``: unordered loops over sparse spaces go through a block in tiles, in an order drawn from ``seed``.
    ``checkpoints``: a folder that all ranks see, where each saves its part after every ``every`` passes.
    """

    blocks: int = 2
    balanced: bool = True
    prefetch: Prefetching = "on"
    tiled: bool = True
    seed: int = 0
    checkpoints: Path | None = None
    every: int = 1

    def __post_init__(self) -> None:
        for name, value in (("blocks", self.blocks), ("every", self.every)):
            if value < 1:
                raise HarnessError(f"{name} is at least 1, not {value}")
        if self.prefetch not in ("on", "off", "cached"):
            raise HarnessError(f"prefetch is on, off or cached, not {self.prefetch!r}")


class Distributed:
    """One rank's share of a loop; every rank makes one, of the same loop and equal arguments, in the same order.

    ``run`` is one pass. The arguments themselves are not changed by it: ``gather`` brings what ranks hold into those of
    rank 0. Accumulators are the exception: after each pass every rank has their sums. ``trace`` gets the spans
    ``compute``, ``wait``, ``send``, ``prefetch`` and ``flush``.

    Where ``options.checkpoints`` holds a complete checkpoint, the loop goes on from there: ``passes`` says how many are
    done. A pass equals some serial order of the entries, an ordered one *the* serial order, whatever the ranks do.

    Raises HarnessError for what cannot be analysed or sent, and PeerLost, naming the rank, when one is gone.
    """

    def __init__(
        self,
        loop: Loop,
        arguments: Sequence[Any],
        comm: Communicator,
        *,
        plan: Plan | None = None,
        trace: TraceWriter | None = None,
        options: Options | None = None,
    ) -> None:
        self.options = options or Options()
        self.trace = trace or TraceWriter()
        self.space = loop.space
        self.arguments = bind(loop.body, tuple(arguments), loop.where)
        with COMPILING:
            self.plan = plan or loop.plan(*arguments)
        self._check()
        self._comm = comm.group(range(comm.size))
        self._division = divide(
            self.plan, self.space, comm.size, blocks=self.options.blocks, balanced=self.options.balanced
        )
        self._lay_out()
        with COMPILING:
            self._kernel = build_kernel(self.plan, self.space, self.arguments, loop.body)
        self.memory = Memory(self._division, self.arguments, self._comm)
        with COMPILING:
            self._served = Served(self.memory, self.packed, loop.body, self.options.prefetch, self.trace)
        self.passes = 0
        self._checkpoints = self._opened()

    def run(self) -> None:
        """Run all entries once, this rank its own."""
        ring = self.memory.rotation
        for turn in ring.ring.order if ring else range(len(self.turn_ends) - 1):
            parts = ring.take(turn, self.trace) if ring else {}
            self._turn(turn, self.memory.seen(turn, parts))
            if ring:
                ring.pass_on(turn, self.trace)
            elif self.plan.strategy == "unimodular":
                self._wait()
        if ring:
            ring.sent()
        self._end()

    def gather(self, *, everywhere: bool = False) -> None:
        """Bring all arrays, and what the loop has changed of its space, to rank 0; every rank calls it.

        ``everywhere``: the arrays that the loop changes then go to all the other ranks too.
        """
        self._gather()
        body = self.plan.body
        targets = {name for group in body.buffers.values() for name in group}
        for name, array in self.memory.arrays.items() if everywhere else ():
            if body.is_written(name) or name in targets:
                array[...] = self._comm.broadcast(array if self._comm.rank == 0 else None)

    def refresh(self) -> None:
        """Go on from the arguments and the space's values as they are now, alike on every rank, which all call it."""
        self.memory.settle(self.trace)
        self.memory.refresh()
        repack(self.space, self.packed)
        self._wait()

    def _gather(self) -> None:
        memory, comm = self.memory, self._comm
        memory.settle(self.trace)
        mine = [*memory.pieces(), *(self.packed.values if self._writes_space else ())]
        if comm.rank:
            for piece in (*mine, self.packed.positions):
                comm.send(piece, 0, tag=GATHER)
            return
        for rank in range(comm.size):
            pieces = mine if rank == 0 else [comm.receive(rank, tag=GATHER) for _ in range(memory.count(rank, mine))]
            positions = self.packed.positions if rank == 0 else comm.receive(rank, tag=GATHER)
            rest = memory.put(rank, pieces)
            self._put_values(positions, rest)

    @property
    def exact(self) -> bool:
        """Whether the body's arithmetic is plain Python's, bit for bit."""
        return self._kernel.exact

    def _check(self) -> None:
        for name, thing in self.arguments.items():
            if isinstance(thing, Accumulator) and np.asarray(thing.value).dtype.kind not in "biufc":
                raise HarnessError(
                    f"{name} accumulates {type(thing.value).__name__}, which cannot be sent: use numbers"
                )
            over = isinstance(thing, DistArray) and any(c is thing.values for c in columns(self.space))
            if over and self.plan.body.is_written(name):
                raise HarnessError(f"the loop runs over {name} and changes it; run over a copy of it")

    def _lay_out(self) -> None:
        options = self.options
        turns = self._division.turns(self._comm.rank)
        positions = arranged(self.plan, self.space, turns, options.seed if options.tiled else None)
        self.turn_ends = np.cumsum([0, *map(len, turns)])
        self.packed = pack(self.space, positions, self.turn_ends[1:])

    def _turn(self, turn: int, seen: tuple[list[Any], list[tuple[int, ...]]]) -> None:
        arguments, offsets = seen
        for start, stop in self._served.stretches(int(self.turn_ends[turn]), int(self.turn_ends[turn + 1])):
            self._served.fetch(start, stop)
            with self.trace.span("compute", step=turn):
                self._kernel(self.packed, start, stop, arguments, offsets)
            self._served.give_back(stop)

    def _end(self) -> None:
        self.memory.reduce(self._comm)
        if self._served.active:
            self._wait()
        self.passes += 1
        if self._checkpoints and self.passes % self.options.every == 0:
            self.memory.settle(self.trace)
            self._checkpoints.save(self.passes, dict(self._state()))

    def _wait(self) -> None:
        with self.trace.span("wait"):
            self._comm.barrier()

    @property
    def _writes_space(self) -> bool:
        return self.plan.body.is_written(SPACE)

    def _put_values(self, positions: Any, changed: Sequence[Any]) -> None:
        for column, values in zip(columns(self.space), changed, strict=False):
            place = np.unravel_index(positions, self.space.shape) if len(column) != len(self.space) else positions
            column[place] = values

    def _opened(self) -> Checkpoints | None:
        if self.options.checkpoints is None:
            return None
        checkpoints = Checkpoints(self.options.checkpoints, self._comm)
        self.passes = checkpoints.latest()
        if self.passes:
            checkpoints.load(self.passes, dict(self._state()))
            self.memory.loaded()
            self._wait()  # or a rank that is quicker would be served rows from before
        return checkpoints

    def _state(self) -> Iterator[tuple[str, Any]]:
        """All that changes on this rank, by name: arrays that loading fills."""
        yield from self.memory.state()
        if self._writes_space:
            yield from ((f"value {n}", column) for n, column in enumerate(self.packed.values))
