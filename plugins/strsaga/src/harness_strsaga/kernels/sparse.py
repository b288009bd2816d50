"""SGD of a linear model over CSR rows, at a cost that goes with a row's non-zeros, not with d.

The L2 term shrinks every coordinate at each step, so it is kept as one factor: w = scale v.
``lazy`` has the variance-reduced steps.
"""

from __future__ import annotations

import numpy as np

from harness_strsaga.kernels.compiled import Columns, Floats, Indices, compiled, compiled_sum
from harness_strsaga.kernels.losses import slope
from harness_strsaga.kernels.prefetch import FLOATS_A_LINE, coming, touch
from harness_strsaga.stream import Sparse, Stream

TINY = 1e-100


@compiled_sum
def dot(values: Floats, columns: Columns, begin: int, end: int, w: Floats) -> float:
    """The product x.w, x being the row at begin..end-1."""
    product = 0.0
    for p in range(begin, end):
        product += values[p] * w[columns[p]]
    return product


@compiled
def fetch(values: Floats, columns: Columns, starts: Indices, targets: Floats, j: int) -> None:
    """Start loading row and target of point j."""
    touch(targets, j)
    for p in range(starts[j], starts[j + 1], FLOATS_A_LINE):
        touch(values, p)
        touch(columns, p)


@compiled
def sgd(
    values: Floats, columns: Columns, starts: Indices, targets: Floats, logistic: bool, mu: float,
    order: Indices, rates: Floats, v: Floats, scale: float,
) -> float:  # fmt: skip
    """SGD's update for each planned step, with w = scale v; return the new scale."""
    for s in range(len(order)):
        fetch(values, columns, starts, targets, coming(order, s))
        if scale < TINY:
            v *= scale
            scale = 1.0
        j, eta = order[s], rates[s]
        begin, end = starts[j], starts[j + 1]
        g = slope(logistic, scale * dot(values, columns, begin, end, v), targets[j])
        scale *= 1.0 - eta * mu
        push = eta * g / scale
        for p in range(begin, end):
            v[columns[p]] -= push * values[p]
    return scale


class ScaledModel:
    """A model w = scale v."""

    def __init__(self, v: Floats) -> None:
        self.v = v
        self.scale = 1.0

    @property
    def weights(self) -> Floats:
        """A copy of the model, (d,)."""
        return self.scale * self.v


class SparseModel(ScaledModel):
    """A linear model over sparse rows for SGD, zero at first."""

    def __init__(self, stream: Stream, points: Sparse) -> None:
        super().__init__(np.zeros(points.dimension))
        self.problem = (points.values, points.columns, points.starts, stream.targets, stream.loss == "logistic")
        self.mu = stream.mu

    def sgd(self, order: Indices, rates: Floats) -> None:
        """Take SGD steps."""
        self.scale = sgd(*self.problem, self.mu, order, rates, self.v, self.scale)
