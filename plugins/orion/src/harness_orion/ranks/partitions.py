"""How a plan is divided over ranks: the ends of its partitions, the entries of each, and the part of an array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness_orion.analysis.plan import Placement, Plan, Where
from harness_orion.analysis.scheduling import Block, bounds, schedule
from harness_orion.ranks.rotation import Ring
from harness_orion.reading.affine import Key
from harness_orion.space import Space, serial_order

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Cut:
    """An array's division along one axis: where each part begins, and the end of the last."""

    shape: Key
    axis: int
    ends: tuple[int, ...]

    @classmethod
    def of(cls, place: Placement, shape: Key, ends: Positions) -> Cut:
        """Divide an array as the loop's dimension is; what lies beyond that goes with the last part."""
        assert place.axis is not None
        return cls(shape, place.axis, (*(int(e) for e in ends[:-1]), shape[place.axis]))

    def index(self, part: int) -> tuple[slice, ...]:
        """What selects a part."""
        return (*(slice(None),) * self.axis, slice(self.ends[part], self.ends[part + 1]))

    def offset(self, part: int) -> Key:
        """The index, along each axis, that a part begins with."""
        return tuple(self.ends[part] if axis == self.axis else 0 for axis in range(len(self.shape)))


@dataclass(frozen=True, eq=False)
class Division:
    """The ends of a plan's space partitions, one a rank, and of its time blocks, several a rank."""

    plan: Plan
    space: Space
    workers: int
    blocks: int
    space_ends: Positions | None
    time_ends: Positions | None

    def cuts(self, where: Where) -> Mapping[str, Cut]:
        """The arrays that are divided along space, or along time."""
        ends = self.space_ends if where is Where.SPACE else self.time_ends
        arrays = self.plan.body.arrays
        chosen = [p for p in self.plan.placements if p.where is where]
        return {p.array: Cut.of(p, arrays[p.array].shape, ends) for p in chosen if ends is not None}

    def turns(self, rank: int) -> list[Positions]:
        """The entries that a rank runs, a turn each: time blocks by number, clocks of a unimodular plan, or all."""
        plan = self.plan
        if plan.strategy == "unimodular":
            return [_of_worker(clock, rank) for clock in schedule(plan, self.space, self.workers)]
        order = serial_order(self.space, ordered=plan.ordered)
        if plan.strategy == "serial":
            return [order if rank == 0 else order[:0]]
        keys = self.space.keys()[order]
        mine = _parts(keys, plan.origin, plan.space_dim, self.space_ends) == rank
        order, keys = order[mine], keys[mine]
        if plan.time_dim is None:
            return [order]
        block = _parts(keys, plan.origin, plan.time_dim, self.time_ends)
        sorted_by_block = np.argsort(block, kind="stable")
        ends = np.searchsorted(block[sorted_by_block], np.arange(1, self.blocks))
        return list(np.split(order[sorted_by_block], ends))

    def ring(self, rank: int) -> Ring:
        """A rank's place in the ring that time blocks go round."""
        return Ring(rank, self.workers, self.blocks, ordered=self.plan.ordered)


def divide(plan: Plan, space: Space, workers: int, *, blocks: int, balanced: bool) -> Division:
    """Divide a plan over so many ranks, with so many time blocks for each."""
    timed = workers * blocks
    keys = space.keys()

    def ends(dim: int | None, parts: int) -> Positions | None:
        if dim is None:
            return None
        counts = np.bincount(keys[:, dim] - plan.origin[dim], minlength=plan.shape[dim])
        return bounds(counts, parts, balanced=balanced)

    return Division(plan, space, workers, timed, ends(plan.space_dim, workers), ends(plan.time_dim, timed))


def _of_worker(clock: list[Block], rank: int) -> Positions:
    found = [b.positions for b in clock if b.worker == rank]
    return found[0] if found else np.empty(0, np.int64)


def _parts(keys: Positions, origin: Key, dim: int | None, ends: Positions | None) -> Positions:
    """Each entry's partition along a dimension."""
    assert dim is not None
    assert ends is not None
    return np.searchsorted(ends[1:-1], keys[:, dim] - origin[dim], side="right")
