"""Iterations that touch the same elements in a run, and whether a plan keeps them apart."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from harness_orion.analysis.plan import Plan, Where
from harness_orion.analysis.scheduling import Block, schedule
from harness_orion.audit.touching import Element, Touched
from harness_orion.reading.affine import Key
from harness_orion.space import Space


@dataclass(frozen=True)
class Clash:
    """Two iterations, the first of which comes first, that touch the same elements."""

    first: Key
    second: Key
    raced: frozenset[Element]
    only_writes: bool


def clashes(found: list[tuple[Key, Touched]]) -> list[Clash]:
    """All pairs of iterations of which one writes what the other touches."""
    clash = []
    for (x, a), (y, b) in combinations(found, 2):
        mixed = (a.writes & b.reads) | (a.reads & b.writes)
        raced = mixed | (a.writes & b.writes)
        if raced and x != y:
            clash.append(Clash(x, y, frozenset(raced), not mixed))
    return clash


def unsound(plan: Plan, space: Space, found: list[Clash], *, workers: int) -> list[Clash]:
    """Clashes that the plan does not keep apart, or, in an ordered loop, does not keep in order."""
    place: dict[Key, tuple[Block, int]] = {}
    for clock in schedule(plan, space, workers):
        for block in clock:
            for n, position in enumerate(block.positions):
                place.setdefault(space.entry(int(position))[0], (block, n))
    bad = [c for c in found if not _kept(plan, place[c.first], place[c.second])]
    return bad if plan.ordered else _racing(bad)


def _kept(plan: Plan, x: tuple[Block, int], y: tuple[Block, int]) -> bool:
    return _before(plan, x, y) or (not plan.ordered and _before(plan, y, x))


def _before(plan: Plan, x: tuple[Block, int], y: tuple[Block, int]) -> bool:
    """Whether the one ends before the other starts: a worker's own order, a block handed on, a barrier."""
    (a, m), (b, n) = x, y
    if a is b:
        return m < n
    if plan.strategy == "unimodular":
        return a.clock < b.clock
    if plan.strategy == "2d" and not plan.ordered:
        return (a.space == b.space or a.time == b.time) and a.clock < b.clock
    if plan.strategy == "2d":
        return a.space <= b.space and a.time <= b.time
    return False


def _racing(bad: list[Clash]) -> list[Clash]:
    """Of races between writes alone, those in which an iteration may lose one element and win another."""
    raced: dict[Key, set[Element]] = {}
    for clash in bad:
        for key in (clash.first, clash.second):
            raced.setdefault(key, set()).update(clash.raced)
    return [c for c in bad if not c.only_writes or max(len(raced[c.first]), len(raced[c.second])) > 1]


def misplaced(plan: Plan, found: list[tuple[Key, Touched]]) -> list[Element]:
    """Elements of divided arrays that an iteration touches though they are with another index of the dimension."""
    dims = {Where.SPACE: plan.space_dim, Where.TIME: plan.time_dim}
    return [
        (name, number)
        for key, seen in found
        for name, number in seen.reads | seen.writes
        for place in plan.placements
        if place.array == name and place.where in dims and place.axis is not None
        if np.unravel_index(number, plan.body.arrays[name].shape)[place.axis] != key[dims[place.where] or 0]
    ]


@dataclass
class RealDistances:
    """The distances of the real conflicts, as the search for a strategy asks about them."""

    distances: list[Key]

    @classmethod
    def of(cls, found: list[Clash], *, ordered: bool) -> RealDistances:
        """Those of clashes that matter."""
        alike = [c for c in found if ordered or not c.only_writes or len(c.raced) > 1]
        keys = [(c.first, c.second) if c.first < c.second else (c.second, c.first) for c in alike]
        return cls([tuple(b - a for a, b in zip(x, y, strict=True)) for x, y in keys])

    def meets(self, dims: Key) -> bool:
        """Whether two dependent iterations differ in all of some dimensions."""
        return any(all(v[d] for d in dims) for v in self.distances)

    def goes_back(self, dims: Key) -> bool:
        """Whether the later of two comes first along one of some dimensions."""
        return any(v[d] < 0 for v in self.distances for d in dims)

    def escapes(self, row: Key, *, ordered: bool) -> bool:
        """Whether ``row . key`` is the same for two, or decreases although their order matters."""
        steps = [sum(c * d for c, d in zip(row, v, strict=True)) for v in self.distances]
        return any(s <= 0 if ordered else s == 0 for s in steps)
