"""Variance-reduced steps over CSR rows, at a cost that goes with a row's non-zeros, not with d.

The updates are those of ``dense``. Each step moves every coordinate along G and shrinks it, but G
itself changes only along the visited row, so both movements are kept as numbers:

    w = scale (v - moved G)       scale: product of (1 - eta mu) over the steps so far
                                  moved: sum of eta / (m scale), scale taken after the step

Then the step is an update of v and G along x alone. With c = g - alpha_j, and G' = G + c x:

    v <- v - (eta / scale - moved) c x        (SVRG leaves G as it is: v <- v - (eta / scale) c x)

Before scale underflows, ``settle`` writes w out and starts afresh. v and G lie side by side, (d, 2),
since every visit needs both.
"""

from __future__ import annotations

import numpy as np

from harness_strsaga.kernels.compiled import Columns, Floats, Indices, compiled, compiled_sum
from harness_strsaga.kernels.losses import slope
from harness_strsaga.kernels.prefetch import coming, touch
from harness_strsaga.kernels.schedule import Plan
from harness_strsaga.kernels.sparse import TINY, dot, fetch
from harness_strsaga.stream import Sparse, Stream

SCALE, MOVED = 0, 1  # places in the clock


@compiled_sum
def lazy_dot(values: Floats, columns: Columns, begin: int, end: int, vG: Floats, moved: float) -> float:
    """The product x.w / scale, x being the row at begin..end-1."""
    product = 0.0
    for p in range(begin, end):
        c = columns[p]
        product += values[p] * (vG[c, 0] - moved * vG[c, 1])
    return product


@compiled
def settle(vG: Floats, clock: Floats) -> None:
    """Make v equal to w, so that scale is 1 and moved is 0."""
    scale, moved = clock[SCALE], clock[MOVED]
    for c in range(len(vG)):
        vG[c, 0] = scale * (vG[c, 0] - moved * vG[c, 1])
    clock[SCALE], clock[MOVED] = 1.0, 0.0


@compiled
def step_clock(clock: Floats, eta: float, mu: float, size: int) -> None:
    """Let every coordinate shrink, and move along G / m."""
    clock[SCALE] *= 1.0 - eta * mu
    clock[MOVED] += eta / (size * clock[SCALE])


@compiled
def saga(
    values: Floats, columns: Columns, starts: Indices, targets: Floats, logistic: bool, mu: float,
    order: Indices, sizes: Indices, rates: Floats, vG: Floats, alpha: Floats, clock: Floats,
) -> None:  # fmt: skip
    """STRSAGA's update (Jothimurugesan et al. 2018, Algorithm 1) for each planned step."""
    for s in range(len(order)):
        ahead = coming(order, s)
        touch(alpha, ahead)
        fetch(values, columns, starts, targets, ahead)
        if clock[SCALE] < TINY:
            settle(vG, clock)
        j, eta = order[s], rates[s]
        begin, end = starts[j], starts[j + 1]
        g = slope(logistic, clock[SCALE] * lazy_dot(values, columns, begin, end, vG, clock[MOVED]), targets[j])
        change = g - alpha[j]
        alpha[j] = g
        step_clock(clock, eta, mu, sizes[s])
        push = (eta / clock[SCALE] - clock[MOVED]) * change
        for p in range(begin, end):
            c = columns[p]
            vG[c, 0] -= push * values[p]
            vG[c, 1] += change * values[p]


@compiled
def anchor_sum(
    values: Floats, columns: Columns, starts: Indices, targets: Floats, logistic: bool,
    order: Indices, anchor: Floats, vG: Floats,
) -> None:  # fmt: skip
    """G <- G + g(anchor) x for each point of the order; v must be settled."""
    for s in range(len(order)):
        begin, end = starts[order[s]], starts[order[s] + 1]
        g = slope(logistic, dot(values, columns, begin, end, anchor), targets[order[s]])
        for p in range(begin, end):
            vG[columns[p], 1] += g * values[p]


@compiled
def svrg(
    values: Floats, columns: Columns, starts: Indices, targets: Floats, logistic: bool, mu: float,
    order: Indices, sizes: Indices, rates: Floats, vG: Floats, anchor: Floats, clock: Floats,
) -> None:  # fmt: skip
    """SSVRG's inner update (Frostig et al. 2015, Algorithm 1) for each planned step."""
    for s in range(len(order)):
        if clock[SCALE] < TINY:
            settle(vG, clock)
        j, eta = order[s], rates[s]
        begin, end = starts[j], starts[j + 1]
        g = slope(logistic, clock[SCALE] * lazy_dot(values, columns, begin, end, vG, clock[MOVED]), targets[j])
        change = g - slope(logistic, dot(values, columns, begin, end, anchor), targets[j])
        step_clock(clock, eta, mu, sizes[s])
        for p in range(begin, end):
            vG[columns[p], 0] -= eta / clock[SCALE] * change * values[p]


class LazyState:
    """A model w = scale (v - moved G) that is ``first`` at first, and a table alpha."""

    def __init__(self, first: Floats, alpha: Floats) -> None:
        self.vG = np.stack([first, np.zeros_like(first)], axis=1)
        self.clock = np.array([1.0, 0.0])
        self.alpha = alpha
        self.anchored = first

    @property
    def weights(self) -> Floats:
        """A copy of the model, (d,)."""
        scale, moved = self.clock
        return np.asarray(scale * (self.vG[:, 0] - moved * self.vG[:, 1]))

    @property
    def G(self) -> Floats:  # noqa: N802
        """A copy of the sum of the stored gradients, (d,)."""
        return self.vG[:, 1].copy()

    def anchor(self) -> None:
        """Make the present model the anchor, with none of its gradients summed yet."""
        settle(self.vG, self.clock)
        self.anchored = self.weights
        self.vG[:, 1] = 0.0


class SparseState(LazyState):
    """A linear model over sparse rows, and the table alpha (n,), all zero at first."""

    def __init__(self, stream: Stream, points: Sparse) -> None:
        super().__init__(np.zeros(points.dimension), np.zeros(len(points)))
        self.problem = (points.values, points.columns, points.starts, stream.targets, stream.loss == "logistic")
        self.mu = stream.mu

    def saga(self, plan: Plan) -> None:
        """Take SAGA steps."""
        saga(*self.problem, self.mu, *plan, self.vG, self.alpha, self.clock)

    def anchor_sum(self, order: Indices) -> None:
        """Add the anchor's gradients at these points to G."""
        anchor_sum(*self.problem, order, self.anchored, self.vG)

    def svrg(self, plan: Plan) -> None:
        """Take SVRG steps; the plan's sizes say how many gradients G sums."""
        svrg(*self.problem, self.mu, *plan, self.vG, self.anchored, self.clock)
