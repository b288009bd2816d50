"""Exact distances between dependent iterations, by the integer set library isl (Verdoolaege, ICMS 2010).

Two references conflict in {x -> y : their subscripts are equal}, over the box of the iteration space. All that a plan
must know of it is the set of its distances y - x, with x before y in lexicographic order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import islpy as isl

from harness_orion.analysis.vectors import Free, Vector
from harness_orion.reading.affine import Affine, Key, Subscript

Box = tuple[tuple[int, int], ...]
Subscripts = tuple[Subscript, ...]


def relation(a: Subscripts, b: Subscripts, shape: Key, box: Box) -> isl.Map:
    """Pairs of different iterations (x first) of which one has the subscripts ``a``, the other ``b``, of one element.

    ``shape`` is the array's; ``box`` holds the least and greatest index of each dimension. Both ways round, and as
    NumPy counts a negative subscript: from the array's end.
    """
    first, second = _names("x", len(box)), _names("y", len(box))
    whole = [f"{low} <= {n} <= {high}" for names in (first, second) for n, (low, high) in zip(names, box, strict=True)]
    equal = [
        _equal(_wrapped(x, extent, first, box), _wrapped(y, extent, second, box))
        for x, y, extent in zip(a, b, shape, strict=True)
        if isinstance(x, Affine) and isinstance(y, Affine)
    ]
    head = f"[{', '.join(first)}] -> [{', '.join(second)}]"
    found = isl.Map.read_from_str(_context(), f"{{ {head} : {' and '.join(whole + equal)} }}")
    if a != b:
        found = found.union(found.reverse())
    return found.intersect(_earlier(len(box)))


def _equal(left: list[tuple[str, str]], right: list[tuple[str, str]]) -> str:
    cases = [f"{e} = {f}{when}{then}" for when, e in left for then, f in right]
    return cases[0] if len(cases) == 1 else f"({' or '.join(cases)})"


def _wrapped(index: Affine, extent: int, names: list[str], box: Box) -> list[tuple[str, str]]:
    """The element that a subscript means: as a condition and a term for each case."""
    low, high = index.bounds(*zip(*box, strict=True))
    value = _sum(index, names)
    if low >= 0:
        return [("", value)]
    from_end = (f" and {value} < 0", f"{value} + {extent}")
    return [from_end] if high < 0 else [(f" and {value} >= 0", value), from_end]


def _sum(index: Affine, names: list[str]) -> str:
    terms = [f"{c}*{n}" for c, n in zip(index.coefficients, names, strict=True) if c]
    return "(" + " + ".join([*terms, str(index.constant)]) + ")"


def _names(letter: str, ndim: int) -> list[str]:
    return [f"{letter}{d}" for d in range(ndim)]


@lru_cache(maxsize=1)
def _context() -> isl.Context:
    return isl.Context()


@lru_cache(maxsize=16)
def _earlier(ndim: int) -> isl.Map:
    """The pairs of iterations of which the first comes first."""
    return isl.Map.lex_lt(isl.Space.set_alloc(_context(), 0, ndim))


@dataclass
class ExactDistances:
    """The exact distances of one dependence; ``samples`` of them rule out most transformations cheaply."""

    pairs: isl.Map
    distances: isl.Set
    samples: list[Key] = field(default_factory=list)

    def meets(self, dims: tuple[int, ...]) -> bool:
        """Whether two dependent iterations differ in all of some dimensions."""
        return self._has(" and ".join(f"d{d} != 0" for d in dims))

    def goes_back(self, dims: tuple[int, ...]) -> bool:
        """Whether the later of two dependent iterations comes first along one of some dimensions."""
        return self._has(" or ".join(f"d{d} < 0" for d in dims))

    def escapes(self, row: Key, *, ordered: bool) -> bool:
        """Whether ``row . key`` is the same for both, or decreases although their order matters."""
        for sample in self.samples:
            apart = sum(c * s for c, s in zip(row, sample, strict=True))
            if apart == 0 or (ordered and apart < 0):
                return True
        step = _sum(Affine(row), _names("d", len(row)))
        return self._has(f"{step} <= 0" if ordered else f"{step} = 0", sample=True)

    def _has(self, condition: str, *, sample: bool = False) -> bool:
        met = self.distances.intersect(_where(condition, self.distances.dim(isl.dim_type.set)))
        if met.is_empty():
            return False
        if sample:
            self.samples.append(_point(met))
        return True

    @property
    def vector(self) -> Vector:
        """The distances in short: a number where a component is always the same."""
        ndim = self.distances.dim(isl.dim_type.set)
        ends = [
            (self.distances.dim_min_val(d).to_python(), self.distances.dim_max_val(d).to_python()) for d in range(ndim)
        ]
        return tuple(low if low == high else (Free.NONNEG if low >= 0 else Free.ANY) for low, high in ends)

    def collision(self) -> tuple[Key, Key]:
        """The first two iterations that collide."""
        both = _point(self.pairs.wrap().lexmin())
        return both[: len(both) // 2], both[len(both) // 2 :]


@lru_cache(maxsize=1024)
def _where(condition: str, ndim: int) -> isl.Set:
    return isl.Set.read_from_str(_context(), f"{{ [{', '.join(_names('d', ndim))}] : {condition} }}")


@lru_cache(maxsize=1024)
def exact_distances(a: Subscripts, b: Subscripts, shape: Key, box: Box) -> ExactDistances | None:
    """The distances between iterations that two references join; None if they join none."""
    pairs = relation(a, b, shape, box)
    return None if pairs.is_empty() else ExactDistances(pairs, pairs.deltas())


def _point(found: isl.Set) -> Key:
    point = found.sample_point()
    count = found.dim(isl.dim_type.set)
    return tuple(int(point.get_coordinate_val(isl.dim_type.set, d).to_python()) for d in range(count))
