"""Dependences between iterations: every two references to one array of which one writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Literal, Protocol

from harness import HarnessError
from harness_orion.analysis.exact import Box, ExactDistances, exact_distances
from harness_orion.analysis.vectors import PaperDistances, Vector, distance, normalised
from harness_orion.reading.accesses import Access, ArrayFacts, Body
from harness_orion.reading.affine import UNKNOWN, Affine, Key, Subscript
from harness_orion.reading.values import SPACE
from harness_orion.space import Space

Mode = Literal["exact", "paper"]
ATOMIC = 8


class Distances(Protocol):
    """What a strategy asks about a dependence."""

    def meets(self, dims: tuple[int, ...]) -> bool:
        """Whether two dependent iterations may differ in all of some dimensions."""

    def goes_back(self, dims: tuple[int, ...]) -> bool:
        """Whether the later of two dependent iterations may come first along one of some dimensions."""

    def escapes(self, row: Key, *, ordered: bool) -> bool:
        """Whether ``row . key`` may be the same for both, or decrease although their order matters."""


@dataclass(frozen=True)
class Dependence:
    """Two references that may touch one element in different iterations, and how far apart those are."""

    first: Access
    second: Access
    vector: Vector

    @property
    def array(self) -> str:
        """The array that both refer to."""
        return self.first.array

    @property
    def of_writes(self) -> bool:
        """Whether both write."""
        return self.first.mode == self.second.mode == "write"


@dataclass(frozen=True)
class Conflict:
    """A dependence with all that is known of its distances."""

    dependence: Dependence
    distances: Distances


def box_of(space: Space) -> Box:
    """The least and greatest index of each dimension that occur."""
    ndim = len(space.shape)
    return tuple(space.extremes(Affine.index(d, ndim)) for d in range(ndim))


def check_ranges(body: Body, space: Space) -> None:
    """Refuse a subscript that certainly leaves its array; one that some condition guards may not be reached."""
    for access in body.accesses:
        if access.guarded or access.array == SPACE:
            continue
        for axis, subscript in enumerate(access.subscripts):
            if isinstance(subscript, Affine):
                _check_range(access, axis, subscript, body, space)


def _check_range(access: Access, axis: int, index: Affine, body: Body, space: Space) -> None:
    extent = body.arrays[access.array].shape[axis]
    low, high = space.extremes(index)
    if -extent <= low and high < extent:
        return
    said = f"{access.text}: {index.text(body.index_names)} runs from {low} to {high}"
    wanted = f"axis {axis} of {access.array} has {extent}; change the array's shape or the iteration space"
    raise HarnessError(f"{said}, but {wanted}", where=str(access.place))


def conflicts(body: Body, space: Space, *, ordered: bool, mode: Mode) -> list[Conflict]:
    """All dependences that the loop carries.

    Two writes leave an unordered loop free only where they race for a single element: see ``_one_race``.
    """
    found = list(_all_conflicts(body, space, mode))
    writes = [c.dependence for c in found if c.dependence.of_writes]
    if ordered or not _one_race(writes, body):
        return found
    return [c for c in found if not c.dependence.of_writes]


def _all_conflicts(body: Body, space: Space, mode: Mode) -> Iterator[Conflict]:
    box = box_of(space)
    for array in dict.fromkeys(a.array for a in body.accesses):
        distinct = {(a.mode, a.subscripts): a for a in reversed(body.of(array))}
        for a, b in combinations_with_replacement(reversed(distinct.values()), 2):
            if "write" in (a.mode, b.mode):
                exact = mode == "exact"
                found = _exact(a, b, body, box) if exact else _paper(a, b, body, space)
                if found is not None:
                    yield found


def _paper(a: Access, b: Access, body: Body, space: Space) -> Conflict | None:
    apart = distance(_unwrapped(a, space), _unwrapped(b, space), body.ndim)
    vector = None if apart is None else normalised(apart)
    return None if vector is None else Conflict(Dependence(a, b, vector), PaperDistances(vector))


def _unwrapped(access: Access, space: Space) -> tuple[Subscript, ...]:
    """The subscripts, those that may be negative being unknown: NumPy counts these from the end."""
    return tuple(UNKNOWN if isinstance(s, Affine) and space.extremes(s)[0] < 0 else s for s in access.subscripts)


def _exact(a: Access, b: Access, body: Body, box: Box) -> Conflict | None:
    distances = joined(a, b, body, box)
    return None if distances is None else Conflict(Dependence(a, b, distances.vector), distances)


def joined(a: Access, b: Access, body: Body, box: Box) -> ExactDistances | None:
    """The iterations that two references join, exactly."""
    return exact_distances(a.subscripts, b.subscripts, extents_of(a.array, body, box), box)


def extents_of(array: str, body: Body, box: Box) -> Key:
    """An array's shape; that of the iteration space reaches as far as its keys."""
    return tuple(high + 1 for _, high in box) if array == SPACE else body.arrays[array].shape


def _one_race(writes: list[Dependence], body: Body) -> bool:
    """Whether all writes that meet are to one element an iteration: then any outcome is that of some serial order.

    Where an iteration's writes race for two elements, one may end up with its value and the other with another's,
    as in no serial order. An unknown subscript may stand for several elements.
    """
    references = {a for w in writes for a in (w.first, w.second)}
    places = {(a.array, a.subscripts) for a in references}
    return len(places) == 1 and all(a.is_affine and _is_atomic(body, a.array) for a in references)


def _is_atomic(body: Body, array: str) -> bool:
    facts: ArrayFacts | None = body.arrays.get(array)
    return facts is not None and facts.itemsize <= ATOMIC
