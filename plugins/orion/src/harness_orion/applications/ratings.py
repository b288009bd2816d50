"""Ratings to factorize: films, or as many as wanted, with a few users and items in most of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import cached
from harness_orion.space import Entries

HELD_OUT = 0.1
JUDGED = 200_000  # the most ratings of either part that a score looks at
TRUE_RANK = 8


@dataclass(frozen=True, eq=False)
class Ratings:
    """Rows, columns and values, (n,) each."""

    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    shape: tuple[int, int]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, chosen: NDArray[np.int64]) -> Ratings:
        """Some of them, in this order."""
        return Ratings(self.rows[chosen], self.columns[chosen], self.values[chosen], self.shape)

    @cached_property
    def deviation(self) -> float:
        """The standard deviation of the values."""
        return float(self.values.std())

    def entries(self) -> Entries:
        """The space of a loop over them, with values of its own."""
        return Entries.of([self.rows, self.columns], self.values.copy(), shape=self.shape)

    def rmse(self, W: NDArray[np.float32], H: NDArray[np.float32]) -> float:
        """The root of the mean squared error of ``W @ H.T`` on the first of them."""
        rows, columns = self.rows[:JUDGED], self.columns[:JUDGED]
        errors = self.values[:JUDGED] - np.einsum("nk,nk->n", W[rows], H[columns])
        return float(np.sqrt(np.mean(np.square(errors, dtype=np.float64))))


def held_out(count: int) -> int:
    """How many of so many ratings judge."""
    return int(count * HELD_OUT)


def split(ratings: Ratings, seed: int) -> tuple[Ratings, Ratings]:
    """Ratings to train with and to judge by, both in random order."""
    order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,))).permutation(len(ratings))
    held = held_out(len(ratings))
    return ratings.take(order[held:]), ratings.take(order[:held])


def films() -> Ratings:
    """MovieLens-100k."""
    from harness.datasets import movielens

    known = movielens()
    shape = (int(known.users.max()) + 1, int(known.items.max()) + 1)
    return Ratings(known.users, known.items, known.ratings.astype(np.float32), shape)


def power_law(count: int, shape: tuple[int, int], *, exponent: float, seed: int = 0) -> Ratings:
    """Ratings of mean 3.5 with a low-rank part and noise; the r-th row, and column, has a share of r ** -exponent."""
    made = cached(f"power-law ratings {count} {shape} {exponent} {seed}", lambda: _made(count, shape, exponent, seed))
    return Ratings(made["rows"], made["columns"], made["values"], shape)


def _made(count: int, shape: tuple[int, int], exponent: float, seed: int) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    rows, columns = (_drawn(count, extent, exponent, rng) for extent in shape)
    W, H = (rng.normal(size=(extent, TRUE_RANK)).astype(np.float32) for extent in shape)
    signal = np.einsum("nk,nk->n", W[rows], H[columns]) / np.sqrt(TRUE_RANK)
    values = 3.5 + 0.9 * signal + 0.5 * rng.standard_normal(count, np.float32)
    return {"rows": rows, "columns": columns, "values": values.astype(np.float32)}


def _drawn(count: int, extent: int, exponent: float, rng: np.random.Generator) -> NDArray[np.int32]:
    """Indices whose frequencies follow a power law, the frequent ones anywhere."""
    ends = np.cumsum(np.arange(1, extent + 1, dtype=np.float64) ** -exponent)
    ranks = np.searchsorted(ends, rng.random(count) * ends[-1])
    return np.asarray(rng.permutation(extent)[ranks], dtype=np.int32)
