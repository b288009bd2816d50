"""Time blocks that go round a ring of ranks, each with its part of every array that is divided along time.

A rank has several blocks at a time: while it runs one, others are on their way to it, and it waits for no message but
that of the block whose turn it is. Unordered loops begin everywhere at once, and a block goes on to the rank before it;
ordered ones begin at rank 0, and a block goes on to the rank after it: a wavefront. In either case a block is back
where it began after as many messages as there are ranks, so that one pass follows another without a stop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness_orion.running.records import aligned_copy

if TYPE_CHECKING:
    from harness import Communicator, TraceWriter
    from harness.worker import Handle
    from harness_orion.ranks.partitions import Cut

Parts = dict[str, NDArray[Any]]
TOKEN = np.empty(0, np.uint8)


@dataclass(frozen=True)
class Ring:
    """One rank's place in the ring, and the order in which it runs the time blocks."""

    rank: int
    workers: int
    blocks: int
    ordered: bool

    @property
    def order(self) -> list[int]:
        """The blocks of a pass, in turn."""
        first = 0 if self.ordered else self.rank * self.blocks // self.workers
        return [(first + n) % self.blocks for n in range(self.blocks)]

    @property
    def home(self) -> list[int]:
        """The blocks that are here when a pass begins."""
        if self.ordered:
            return self.order if self.rank == 0 else []
        return self.order[: self.blocks // self.workers]

    @property
    def after(self) -> int:
        """The rank that a block goes on to."""
        return (self.rank + (1 if self.ordered else -1)) % self.workers

    @property
    def before(self) -> int:
        """The rank that a block comes from."""
        return (self.rank - (1 if self.ordered else -1)) % self.workers


class Rotation:
    """The blocks that one rank holds, and those on their way to it or from it."""

    def __init__(
        self, ring: Ring, arrays: Mapping[str, NDArray[Any]], cuts: Mapping[str, Cut], comm: Communicator
    ) -> None:
        self.ring = ring
        self.held: dict[int, Parts] = {
            block: {name: aligned_copy(arrays[name][cut.index(block)]) for name, cut in cuts.items()}
            for block in ring.home
        }
        self._names = tuple(cuts)
        self._comm = comm
        self._sends: deque[Handle] = deque()

    def take(self, block: int, trace: TraceWriter) -> Parts:
        """The parts of a block, waiting for them if they have not arrived; blocks come in the order they are run in."""
        if block not in self.held:
            with trace.span("wait", step=block, peer=self.ring.before):
                self.held[block] = self._receive(block)
        return self.held[block]

    def pass_on(self, block: int, trace: TraceWriter) -> None:
        """Send a block on, which from here on is another rank's; a rank by itself keeps it."""
        if self.ring.workers == 1:
            return
        parts = self.held.pop(block)
        with trace.span("send", step=block, peer=self.ring.after):
            for array in parts.values() or (TOKEN,):
                self._sends.append(self._comm.isend(array, self.ring.after, tag=block))

    def sent(self) -> None:
        """Wait until all that was passed on has left."""
        while self._sends:
            self._sends.popleft().wait()

    def settle(self, trace: TraceWriter) -> None:
        """Wait for the blocks that are here when a pass begins."""
        for block in self.ring.home:
            self.take(block, trace)

    def _receive(self, block: int) -> Parts:
        """A block's parts; where no array rotates, a message without content says that the block is free."""
        found = [self._comm.receive(self.ring.before, tag=block) for _ in self._names or (None,)]
        return dict(zip(self._names, found, strict=False))
