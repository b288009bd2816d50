"""A plan's schedule: which worker runs which entries at which clock. What a runtime carries out, and a test replays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness_orion.analysis.plan import Plan
from harness_orion.space import Entries, Space, serial_order

Positions = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Block:
    """Entries that one worker runs one after the other; ``space`` and ``time`` number its partitions."""

    clock: int
    worker: int
    positions: Positions
    space: int = 0
    time: int = 0


def bounds(counts: NDArray[np.int64], parts: int, *, balanced: bool = False) -> NDArray[np.int64]:
    """Divide a dimension: the ``parts + 1`` ends of contiguous parts, of equal width, or of about equal counts.

    ``counts`` is the number of entries under each index.
    """
    if not balanced:
        return np.linspace(0, len(counts), parts + 1).astype(np.int64)
    total = np.concatenate([[0], np.cumsum(counts)])
    wanted = total[-1] * np.arange(1, parts) / parts
    inner = np.searchsorted(total, wanted)
    return np.concatenate([[0], np.maximum.accumulate(np.minimum(inner, len(counts))), [len(counts)]]).astype(np.int64)


def schedule(
    plan: Plan, space: Space, workers: int, *, balanced: bool = False, blocks: int = 1, seed: int | None = None
) -> Iterator[list[Block]]:
    """Yield the blocks of each clock; those of one clock run at once, and the next clock's need not all wait for them.

    2d, unordered: in clock c worker w runs time block c + w, and hands it to its predecessor. 2d, ordered: a wavefront.
    A 2d plan has ``blocks`` parts a worker each way; worker w has those numbered w, w + workers, ...
    Parts are contiguous; with a seed, those of an unordered 2d plan over a sparse space are drawn: neighbours are
    often alike, and what a pass learns last would be the same kind each time.
    Unimodular: a clock is one value of ``transform[0] . key``, and ends in a barrier.
    """
    order = serial_order(space, ordered=plan.ordered)
    keys = space.keys()[order]
    if plan.strategy == "serial":
        yield [Block(0, 0, order)]
    elif plan.strategy == "unimodular":
        yield from _steps(plan, keys, order, workers)
    else:
        parts = workers * (1 if plan.time_dim is None else blocks)
        may_draw = plan.time_dim is not None and not plan.ordered and isinstance(space, Entries)
        columns = _Columns(plan, keys, order, workers, parts, balanced, seed if may_draw else None)
        yield from columns.one() if plan.time_dim is None else columns.two()


def _steps(plan: Plan, keys: Positions, order: Positions, workers: int) -> Iterator[list[Block]]:
    times = keys @ np.array(plan.transform[0])
    # The same key must stay with one worker: its entries run one after the other.
    _, same = np.unique(keys, axis=0, return_inverse=True)
    for clock, time in enumerate(np.unique(times)):
        chosen = np.flatnonzero(times == time)
        numbers = np.unique(same[chosen], return_inverse=True)[1]
        yield [
            Block(clock, w, order[chosen[numbers % workers == w]], time=int(time))
            for w in range(min(workers, int(numbers.max()) + 1))
        ]


@dataclass(frozen=True)
class _Columns:
    """Partitions along one dimension or two."""

    plan: Plan
    keys: Positions
    order: Positions
    workers: int
    parts: int
    balanced: bool
    seed: int | None

    def one(self) -> Iterator[list[Block]]:
        part = self._parts(self.plan.space_dim or 0)
        yield [Block(0, w, self.order[part == w], space=w) for w in range(self._count(self.plan.space_dim or 0))]

    def two(self) -> Iterator[list[Block]]:
        assert self.plan.space_dim is not None
        assert self.plan.time_dim is not None
        space, time = self._parts(self.plan.space_dim), self._parts(self.plan.time_dim)
        rows, columns = self._count(self.plan.space_dim), self._count(self.plan.time_dim)
        for clock in range(rows + columns - 1 if self.plan.ordered else max(rows, columns)):
            yield [
                Block(clock, s % self.workers, self.order[(space == s) & (time == t)], s, t)
                for s in range(rows)
                for t in [clock - s if self.plan.ordered else (clock + s) % max(rows, columns)]
                if 0 <= t < columns
            ]

    def _count(self, dim: int) -> int:
        return min(self.parts, self.plan.shape[dim])

    def _parts(self, dim: int) -> Positions:
        """Each entry's partition along a dimension."""
        index = self.keys[:, dim] - self.plan.origin[dim]
        if self.seed is not None:
            index = np.random.default_rng((self.seed, dim)).permutation(self.plan.shape[dim])[index]
        counts = np.bincount(index, minlength=self.plan.shape[dim])
        ends = bounds(counts, self._count(dim), balanced=self.balanced)
        return np.searchsorted(ends[1:-1], index, side="right")
