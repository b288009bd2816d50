"""Dependence vectors as the paper has them (Wei et al., EuroSys 2019, section 4.2), and what they stand for.

For two references to one array, each axis whose subscripts are one loop index plus a constant on both sides fixes that
dimension's distance; all other dimensions stay free. A vector is then made lexicographically positive.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from harness_orion.reading.affine import Key, Loose, Subscript


class Free(Enum):
    """A component that is no number: any at all, or, if it leads its vector, any from 0."""

    ANY = "any"
    NONNEG = "nonneg"


class Least(Enum):
    """A component that is at least 1."""

    ONE = "at least 1"


Vector = tuple[int | Free, ...]
Pattern = tuple[int | Free | Least, ...]


def distance(a: tuple[Subscript, ...], b: tuple[Subscript, ...], ndim: int) -> Vector | None:
    """How far apart two iterations are that touch the same element; None if they never do."""
    found: list[int | Free] = [Free.ANY] * ndim
    for x, y in zip(a, b, strict=True):
        if isinstance(x, Loose) or isinstance(y, Loose):
            continue
        if x.is_constant and y.is_constant and x.constant != y.constant:
            return None
        if x.dim is None or x.dim != y.dim:
            continue
        apart = x.constant - y.constant
        if found[x.dim] not in (Free.ANY, apart):
            return None
        found[x.dim] = apart
    return tuple(found)


def normalised(vector: Vector) -> Vector | None:
    """Make a vector lexicographically positive; None for one of zeros, which no loop carries.

    After a leading free component the signs of the others are as they were: ``patterns`` takes both.
    """
    for d, component in enumerate(vector):
        if isinstance(component, Free):
            return (*vector[:d], Free.NONNEG, *vector[d + 1 :])
        if component:
            return vector if component > 0 else opposite(vector)
    return None


def opposite(vector: Vector) -> Vector:
    """The same distance, seen from the other iteration."""
    return tuple(c if isinstance(c, Free) else -c for c in vector)


def patterns(vector: Vector) -> set[Pattern]:
    """Lexicographically positive patterns whose union holds every distance that a vector stands for.

    ``(any, 1)`` is ``{(0, 1), (at least 1, 1), (at least 1, -1)}``: dropping the last allows wrong transformations.
    """
    found: set[Pattern] = set()
    for d, component in enumerate(vector):
        rest = vector[d + 1 :]
        if isinstance(component, Free):
            found |= {_positive(vector[:d], rest), _positive(vector[:d], opposite(rest))}
            vector = (*vector[:d], 0, *rest)
        elif component:
            found.add(_plain(vector if component > 0 else opposite(vector)))
            break
    return found


def _positive(head: Vector, rest: Vector) -> Pattern:
    return (*_plain(head), Least.ONE, *_plain(rest))


def _plain(vector: Vector) -> Vector:
    return tuple(Free.ANY if c is Free.NONNEG else c for c in vector)


@dataclass(frozen=True)
class PaperDistances:
    """The distances of one dependence, as a vector of the paper."""

    vector: Vector

    def meets(self, dims: tuple[int, ...]) -> bool:
        """Whether two dependent iterations may differ in all of some dimensions."""
        return all(self.vector[d] != 0 for d in dims)

    def goes_back(self, dims: tuple[int, ...]) -> bool:
        """Whether the later of two dependent iterations may come first along one of some dimensions."""
        return any(_reach(p[d], 1)[0] < 0 for p in patterns(self.vector) for d in dims)

    def escapes(self, row: Key, *, ordered: bool) -> bool:
        """Whether ``row . key`` may be the same for both, or decrease although their order matters."""
        for pattern in patterns(self.vector):
            ends = [_reach(c, factor) for c, factor in zip(pattern, row, strict=True)]
            low, high = sum(e[0] for e in ends), sum(e[1] for e in ends)
            if low < 1 and (ordered or high > -1):
                return True
        return False


def _reach(component: int | Free | Least, factor: int) -> tuple[float, float]:
    if isinstance(component, int):
        return factor * component, factor * component
    if factor == 0:
        return 0, 0
    if component is Least.ONE:
        return (factor, float("inf")) if factor > 0 else (-float("inf"), factor)
    return -float("inf"), float("inf")


def text(vector: Vector) -> str:
    """A vector as the explanation shows it."""
    return "(" + ", ".join(c.value if isinstance(c, Free) else str(c) for c in vector) + ")"
