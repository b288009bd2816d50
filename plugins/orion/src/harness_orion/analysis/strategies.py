"""The choice of a strategy: the first that every dependence allows, along the dimensions that move least.

independent: nothing is carried. 1d: one dimension in which dependent iterations never differ. 2d: two of which they
differ in one at most. unimodular: a skewed time that separates them all. serial: none of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations, product
from math import prod

from harness_orion.analysis.collisions import find_collision
from harness_orion.analysis.dependences import Conflict, Dependence, Mode, box_of, check_ranges, conflicts
from harness_orion.analysis.placement import communicated, kept_local, placements
from harness_orion.analysis.plan import Plan, RuledOut, Strategy
from harness_orion.reading.accesses import Body
from harness_orion.reading.affine import Key
from harness_orion.space import Space

SKEW = 64
SMALL = 3


@dataclass(frozen=True)
class Choice:
    """A strategy with its dimensions, or its transformation."""

    strategy: Strategy
    space_dim: int | None = None
    time_dim: int | None = None
    transform: tuple[Key, ...] = ()


def make_plan(body: Body, space: Space, *, ordered: bool = False, mode: Mode = "exact", reuse: Key = ()) -> Plan:
    """Analyse a loop and decide how it runs.

    ``reuse``: dimensions that the space is divided along already, which an independent loop then keeps.
    Raises HarnessError for a subscript that leaves its array.
    """
    check_ranges(body, space)
    carried = conflicts(body, space, ordered=ordered, mode=mode)
    search = Search(body, space, ordered, carried)
    choice, ruled_out = search.choose(reuse)
    serial = choice.strategy == "serial"
    return Plan(
        body,
        space.shape,
        space.origin,
        ordered,
        mode,
        choice.strategy,
        choice.space_dim,
        choice.time_dim,
        choice.transform,
        tuple(c.dependence for c in carried),
        kept_local(body) if serial else placements(body, space, choice.space_dim, choice.time_dim),
        tuple(ruled_out),
        find_collision(search.culprit(), body, space) if serial else None,
    )


@dataclass(frozen=True)
class Search:
    """The strategies, tried in order."""

    body: Body
    space: Space
    ordered: bool
    carried: list[Conflict]

    @property
    def dims(self) -> list[int]:
        """The dimensions that can be divided at all."""
        return [d for d, (low, high) in enumerate(box_of(self.space)) if high > low]

    def choose(self, reuse: Key) -> tuple[Choice, list[RuledOut]]:
        """Return the first strategy that applies, and why those before it do not."""
        ruled_out: list[RuledOut] = []
        for choices in (self._independent(reuse), self._one_dim(ruled_out), self._two_dims(ruled_out)):
            found = list(choices)
            if found:
                return min(found, key=self._cost), ruled_out
        transformed = self._unimodular(ruled_out)
        return transformed or Choice("serial"), ruled_out

    def _cost(self, choice: Choice) -> tuple[int, int, int]:
        """What travels; of equals the last dimension is space, as in the released code."""
        moved = communicated(placements(self.body, self.space, choice.space_dim, choice.time_dim))
        return moved, -(choice.space_dim or 0), choice.time_dim or 0

    def _independent(self, reuse: Key) -> Iterator[Choice]:
        if not self.carried and reuse:
            yield Choice("independent", reuse[0], reuse[1] if len(reuse) > 1 else None)
        elif not self.carried:
            yield from (Choice("independent", d) for d in self.dims or [0])

    def _one_dim(self, ruled_out: list[RuledOut]) -> Iterator[Choice]:
        if self.carried:
            ruled_out.append(RuledOut("independent", (), self.carried[0].dependence, "the loop carries a dependence"))
        for d in self.dims:
            blocking = next((c.dependence for c in self.carried if c.distances.meets((d,))), None)
            if blocking is None:
                yield Choice("1d", d)
            else:
                ruled_out.append(RuledOut("1d", (d,), blocking, "dependent iterations differ in it"))

    def _two_dims(self, ruled_out: list[RuledOut]) -> Iterator[Choice]:
        for s, t in permutations(self.dims, 2):
            blocking = self._blocking(s, t)
            if blocking is None:
                yield Choice("2d", s, t)
            elif s < t:
                ruled_out.append(blocking)

    def _blocking(self, s: int, t: int) -> RuledOut | None:
        for c in self.carried:
            if c.distances.meets((s, t)):
                return RuledOut("2d", (s, t), c.dependence, "dependent iterations differ in both")
            if self.ordered and c.distances.goes_back((s, t)):
                return RuledOut("2d", (s, t), c.dependence, "blocks would run in an order that is not the loop's")
        return None

    def _unimodular(self, ruled_out: list[RuledOut]) -> Choice | None:
        blocking: Dependence | None = None
        for row in self._rows():
            escaped = next((c for c in self.carried if c.distances.escapes(row, ordered=self.ordered)), None)
            if escaped is None:
                return Choice("unimodular", transform=completed(row))
            blocking = blocking or escaped.dependence
        reason = "no skewing separates dependent iterations" if blocking else "there is but one dimension"
        ruled_out.append(RuledOut("unimodular", (), blocking, reason))
        return None

    def _rows(self) -> list[Key]:
        """Candidates for time, the one of fewest steps first; a step with one iteration each would be serial."""
        extents = [high - low + 1 for low, high in box_of(self.space)]
        steps = {row: sum(abs(c) * (n - 1) for c, n in zip(row, extents, strict=True)) + 1 for row in _skews(extents)}
        useful = [row for row in steps if steps[row] < prod(extents)]
        return sorted(useful, key=lambda row: (steps[row], [-c for c in row]))

    def culprit(self) -> Conflict | None:
        """The dependence that makes a loop serial, if one alone does; else the first."""
        for conflict in self.carried:
            alone = Search(self.body, self.space, self.ordered, [conflict])
            if alone.choose(())[0].strategy == "serial":
                return conflict
        return self.carried[0] if self.carried else None


def _skews(extents: list[int]) -> Iterable[Key]:
    """Rows with an entry of 1 or -1: unit rows complete them to a unimodular matrix."""
    if len(extents) == 1:
        return []
    if len(extents) == 2:
        reach = range(-min(SKEW, max(extents)), min(SKEW, max(extents)) + 1)
        return dict.fromkeys([*((k, 1) for k in reach), *((1, k) for k in reach)])
    reach = range(-SMALL, SMALL + 1) if len(extents) == 3 else range(-1, 2)
    return [row for row in product(reach, repeat=len(extents)) if 1 in row]


def completed(row: Key) -> tuple[Key, ...]:
    """A matrix of determinant 1 or -1 whose first row is given."""
    pivot = len(row) - 1 - row[::-1].index(1)
    units = [tuple(int(e == d) for e in range(len(row))) for d in range(len(row)) if d != pivot]
    return (row, *units)
