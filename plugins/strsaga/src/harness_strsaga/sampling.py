"""From a data set to a stream: which points are used, which are held out, and in which order they arrive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness import HarnessError
from harness_strsaga.stream import Dense, Pairs, Points, Sparse, Stream

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Source:
    """A data set's points in its own order, their targets (n,), and their times (n,) where they have any."""

    points: Points
    targets: NDArray[np.float64]
    times: NDArray[np.float64] | None = None

    def take(self, index: Index) -> Source:
        """Some of the points, in the order of the index."""
        times = None if self.times is None else self.times[index]
        return Source(take(self.points, index), self.targets[index], times)


def take(points: Points, index: Index) -> Points:
    """Some of the points, in the order of the index."""
    if isinstance(points, Dense):
        return Dense(points.rows[index])
    if isinstance(points, Pairs):
        return Pairs(points.users[index], points.items[index], points.user_count, points.item_count)
    return sparse(points.matrix()[index])


def sparse(matrix: object) -> Sparse:
    """A scipy matrix as CSR rows, each column at most once a row; scipy would merge them in shared memory later."""
    from scipy.sparse import csr_array

    rows = csr_array(matrix)
    rows.sum_duplicates()
    return Sparse(
        rows.data.astype(np.float64), rows.indices.astype(np.int32), rows.indptr.astype(np.int64), rows.shape[1]
    )


def ones(columns: NDArray[np.int32], dimension: int, *, unit: bool = False) -> Sparse:
    """Rows whose listed columns (n, k) are one, and the others zero; with ``unit`` divided by their length."""
    from scipy.sparse import csr_array

    n, k = columns.shape
    starts = np.arange(0, n * k + 1, k)
    rows = csr_array((np.ones(n * k), columns.ravel(), starts), shape=(n, dimension))
    rows.sum_duplicates()
    if unit:
        rows.data /= np.repeat(np.sqrt(rows.power(2).sum(axis=1)), np.diff(rows.indptr))
    return sparse(rows)


def split(
    n: int, *, points: int | None, held_out: float, ordered: bool, rng: np.random.Generator
) -> tuple[Index, Index]:
    """Which points of n arrive, in order of arrival, and which are held out.

    At most ``points`` are used: the first ones if the stream is ``ordered`` as the data are, else a
    random choice in random order.
    """
    used = min(n, points or n)
    held = round(used * held_out)
    if not 0 < held < used:
        raise HarnessError(f"{held_out} of {used} points leaves one side without any", where="held_out")
    chosen = rng.permutation(used) if ordered else rng.permutation(n)[:used]
    arriving = chosen[held:]
    return (np.sort(arriving) if ordered else arriving), chosen[:held]


def dimension(stream: Stream) -> int:
    """Parameters of a stream's model."""
    points = stream.points
    if isinstance(points, Pairs):
        return (points.user_count + points.item_count) * stream.rank
    return points.dimension
