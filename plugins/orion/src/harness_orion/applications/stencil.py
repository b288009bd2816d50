"""Gauss-Seidel on Poisson's equation: an ordered loop, whose result must be that of the serial order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness_orion.arrays import DistArray
from harness_orion.space import Grid


def relax(key, _val, U, F):  # type: ignore[no-untyped-def]
    """Make one point the mean of its neighbours and the load on it."""
    i, j = key
    U[i, j] = 0.25 * (U[i - 1, j] + U[i + 1, j] + U[i, j - 1] + U[i, j + 1] + F[i, j])


def inner(side: int) -> Grid:
    """The points inside of the border."""
    return Grid((side, side), origin=(1, 1))


def arrays(side: int, seed: int) -> tuple[Any, ...]:
    """The arguments of ``relax``: nothing yet, and random loads."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    loads = np.zeros((side + 2, side + 2))
    loads[1:-1, 1:-1] = rng.normal(size=(side, side))
    return DistArray.zeros(loads.shape), DistArray(loads)


def residual(U: NDArray[np.float64], F: NDArray[np.float64]) -> float:
    """The root mean square of what the equation is off by, over that of the loads."""
    around = U[:-2, 1:-1] + U[2:, 1:-1] + U[1:-1, :-2] + U[1:-1, 2:]
    inside = F[1:-1, 1:-1]
    return float(np.linalg.norm(inside + around - 4 * U[1:-1, 1:-1]) / np.linalg.norm(inside))
