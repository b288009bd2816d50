"""A stream: points in the order in which they arrive, and how many arrive at each time step.

Everything downstream (kernels, metrics, other plugins' baselines) reads these plain arrays. Three
layouts cover the losses: dense rows and CSR rows for linear models, and (user, item) pairs for
matrix factorization.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Loss = Literal["logistic", "ridge", "factorization"]


@dataclass(frozen=True)
class Dense:
    """Points as rows: ``rows`` (n, d) float64, C order."""

    rows: NDArray[np.float64]

    @property
    def dimension(self) -> int:
        """Number of features d."""
        return int(self.rows.shape[1])

    def __len__(self) -> int:
        return int(self.rows.shape[0])

    def prefix(self, count: int) -> Dense:
        """The first ``count`` points, sharing memory."""
        return Dense(self.rows[:count])


@dataclass(frozen=True)
class Sparse:
    """Points as CSR rows: ``values`` (nnz,) float64, ``columns`` (nnz,) int32, ``starts`` (n + 1,) int64."""

    values: NDArray[np.float64]
    columns: NDArray[np.int32]
    starts: NDArray[np.int64]
    dimension: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    def prefix(self, count: int) -> Sparse:
        """The first ``count`` points, sharing memory."""
        end = int(self.starts[count])
        return Sparse(self.values[:end], self.columns[:end], self.starts[: count + 1], self.dimension)

    def matrix(self) -> Any:
        """The points as a ``scipy.sparse.csr_array``, sharing memory."""
        from scipy.sparse import csr_array

        return csr_array((self.values, self.columns, self.starts), shape=(len(self), self.dimension))


@dataclass(frozen=True)
class Pairs:
    """Ratings' coordinates: ``users`` and ``items`` (n,) int32, below ``user_count`` and ``item_count``."""

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    user_count: int
    item_count: int

    def __len__(self) -> int:
        return len(self.users)

    def prefix(self, count: int) -> Pairs:
        """The first ``count`` points, sharing memory."""
        return Pairs(self.users[:count], self.items[:count], self.user_count, self.item_count)


Points = Dense | Sparse | Pairs


@dataclass(frozen=True)
class Stream:
    """Points in arrival order with targets, the arrivals' sizes, and held-out points of the same stream.

    ``targets`` (n,) float64: -1 or 1 for logistic, a number otherwise. ``arrivals`` (steps,) int64
    sums to n; entry i says how many points arrive at time step i. ``mu`` is the L2 weight:
    the objective over points S is mean loss + mu/2 |w|^2. ``rank`` is for factorization alone.
    """

    points: Points
    targets: NDArray[np.float64]
    arrivals: NDArray[np.int64]
    held_out: Points
    held_out_targets: NDArray[np.float64]
    loss: Loss
    mu: float
    rank: int = 0

    @property
    def arrived(self) -> NDArray[np.int64]:
        """Points that have arrived by the end of each step, (steps,)."""
        return np.cumsum(self.arrivals)

    @property
    def mean_arrivals(self) -> float:
        """Points a step on average: the paper's lambda."""
        return len(self.points) / len(self.arrivals)

    @property
    def key(self) -> str:
        """A digest of everything that the empirical minimiser depends on; names cache entries."""
        import hashlib

        digest = hashlib.sha256(f"{self.loss} {self.mu} {self.rank}".encode())
        for array in [*vars(self.points).values(), self.targets]:
            digest.update(
                np.ascontiguousarray(array).tobytes() if isinstance(array, np.ndarray) else str(array).encode()
            )
        return digest.hexdigest()[:16]
