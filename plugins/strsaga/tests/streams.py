"""Small random streams of every layout."""

from __future__ import annotations

import numpy as np

from harness_strsaga.stream import Dense, Pairs, Sparse, Stream

LAYOUTS = ("dense", "sparse", "pairs")


def stream(
    layout: str,
    arrivals: list[int],
    *,
    loss: str = "logistic",
    seed: int = 0,
    mu: float = 0.01,
    d: int = 7,
    nnz: int = 3,
) -> Stream:
    """A stream with these arrivals; pairs are 5 users by 4 items of rank 3."""
    rng = np.random.default_rng(seed)
    n = sum(arrivals)
    if layout == "pairs":
        loss = "factorization"
        points = Pairs(rng.integers(0, 5, n, dtype=np.int32), rng.integers(0, 4, n, dtype=np.int32), 5, 4)
    elif layout == "sparse":
        points = sparse(rng, n, d, min(nnz, d))
    else:
        points = Dense(rng.standard_normal((n, d)) / np.sqrt(d))
    targets = np.sign(rng.standard_normal(n)) if loss == "logistic" else rng.standard_normal(n)
    return Stream(
        points, targets, np.array(arrivals, np.int64), points.prefix(0), targets[:0], loss, mu, 3 * (layout == "pairs")
    )


def sparse(rng: np.random.Generator, n: int, d: int, most: int) -> Sparse:
    """Rows of 0 to ``most`` non-zeros."""
    counts = rng.integers(0, most + 1, n)
    columns = [np.sort(rng.choice(d, count, replace=False)) for count in counts]
    starts = np.concatenate([[0], np.cumsum(counts)])
    values = rng.standard_normal(starts[-1])
    return Sparse(values, np.concatenate([*columns, []]).astype(np.int32), starts.astype(np.int64), d)


def densified(of: Stream) -> Stream:
    """The same points as dense rows."""
    import dataclasses

    assert isinstance(of.points, Sparse)
    return dataclasses.replace(of, points=Dense(of.points.matrix().toarray()))
