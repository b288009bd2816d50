"""Subscripts: integers that are affine in the loop's indices, or less than that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

Key = tuple[int, ...]


class Loose(Enum):
    """A subscript that does not follow from the key: a slice covers the axis, an unknown one is anywhere on it."""

    ANY = ":"
    UNKNOWN = "?"


ANY, UNKNOWN = Loose.ANY, Loose.UNKNOWN


@dataclass(frozen=True)
class Affine:
    """``sum_d coefficients[d] * key[d] + constant``."""

    coefficients: Key
    constant: int = 0

    @classmethod
    def of(cls, constant: int, ndim: int) -> Affine:
        """A constant over a space of ``ndim`` dimensions."""
        return cls((0,) * ndim, constant)

    @classmethod
    def index(cls, dim: int, ndim: int) -> Affine:
        """The loop index of one dimension."""
        return cls(tuple(int(d == dim) for d in range(ndim)))

    @property
    def is_constant(self) -> bool:
        """Whether no loop index takes part."""
        return not any(self.coefficients)

    @property
    def dim(self) -> int | None:
        """The one loop index that this is, an offset apart; None for a constant and for anything else."""
        used = [d for d, c in enumerate(self.coefficients) if c]
        return used[0] if len(used) == 1 and self.coefficients[used[0]] == 1 else None

    def at(self, key: Key) -> int:
        """Its value in one iteration."""
        return sum(c * k for c, k in zip(self.coefficients, key, strict=True)) + self.constant

    def bounds(self, low: Key, high: Key) -> tuple[int, int]:
        """Its least and greatest value over the box ``low <= key <= high``."""
        ends = [(c * a, c * b) for c, a, b in zip(self.coefficients, low, high, strict=True)]
        return sum(min(e) for e in ends) + self.constant, sum(max(e) for e in ends) + self.constant

    def __add__(self, other: Affine) -> Affine:
        return Affine(
            tuple(a + b for a, b in zip(self.coefficients, other.coefficients, strict=True)),
            self.constant + other.constant,
        )

    def __neg__(self) -> Affine:
        return self.scaled(-1)

    def __sub__(self, other: Affine) -> Affine:
        return self + -other

    def scaled(self, factor: int) -> Affine:
        """Each term times an integer."""
        return Affine(tuple(factor * c for c in self.coefficients), factor * self.constant)

    def __str__(self) -> str:
        return self.text(tuple(f"i{d}" for d in range(len(self.coefficients))))

    def text(self, names: tuple[str, ...]) -> str:
        """Read as arithmetic over the names of the loop's indices."""
        terms = [(c, n if abs(c) == 1 else f"{abs(c)}*{n}") for c, n in zip(self.coefficients, names, strict=True) if c]
        if self.constant or not terms:
            terms.append((self.constant, str(abs(self.constant))))
        first, *rest = terms
        start = ("-" if first[0] < 0 else "") + first[1]
        return start + "".join(f" {'-' if c < 0 else '+'} {t}" for c, t in rest)


Subscript = Affine | Loose
