"""Steps of a linear model over dense rows.

One step visits point j, whose row is x and whose loss has the slope g = l'(x.w):

    SAGA    w <- (1 - eta mu) w - eta [(g - alpha_j) x + G / m]
            G <- G + (g - alpha_j) x,  alpha_j <- g
    SVRG    w <- (1 - eta mu) w - eta [(g(w) - g(anchor)) x + G / m]
    SGD     w <- (1 - eta mu) w - eta g x

alpha holds one slope a point, G the sum of alpha_j x_j over the m points of the table. The L2 term
is applied exactly and never enters the table. A step reads x twice: for x.w, and for the update.
"""

from __future__ import annotations

import numpy as np

from harness_strsaga.kernels.compiled import Floats, Indices, compiled, compiled_sum
from harness_strsaga.kernels.losses import slope
from harness_strsaga.kernels.prefetch import FLOATS_A_LINE, coming, touch
from harness_strsaga.kernels.schedule import Plan
from harness_strsaga.stream import Dense, Stream


@compiled_sum
def dot(x: Floats, w: Floats) -> float:
    """The product x.w."""
    product = 0.0
    for c in range(len(x)):
        product += x[c] * w[c]
    return product


@compiled
def fetch(x: Floats, targets: Floats, j: int) -> None:
    """Start loading row x and target of point j."""
    touch(targets, j)
    for c in range(0, len(x), FLOATS_A_LINE):
        touch(x, c)


@compiled
def saga(
    rows: Floats, targets: Floats, logistic: bool, mu: float,
    order: Indices, sizes: Indices, rates: Floats, w: Floats, alpha: Floats, G: Floats,
) -> None:  # fmt: skip
    """STRSAGA's update (Jothimurugesan et al. 2018, Algorithm 1) for each planned step."""
    for s in range(len(order)):
        ahead = coming(order, s)
        touch(alpha, ahead)
        fetch(rows[ahead], targets, ahead)
        j, eta = order[s], rates[s]
        x = rows[j]
        g = slope(logistic, dot(x, w), targets[j])
        change = g - alpha[j]
        alpha[j] = g
        shrink, push, drift = 1.0 - eta * mu, eta * change, eta / sizes[s]
        for c in range(len(x)):
            w[c] = shrink * w[c] - push * x[c] - drift * G[c]
            G[c] += change * x[c]


@compiled
def sgd(
    rows: Floats, targets: Floats, logistic: bool, mu: float, order: Indices, rates: Floats, w: Floats,
) -> None:  # fmt: skip
    """SGD's update for each planned step."""
    for s in range(len(order)):
        ahead = coming(order, s)
        fetch(rows[ahead], targets, ahead)
        j, eta = order[s], rates[s]
        x = rows[j]
        shrink, push = 1.0 - eta * mu, eta * slope(logistic, dot(x, w), targets[j])
        for c in range(len(x)):
            w[c] = shrink * w[c] - push * x[c]


@compiled
def anchor_sum(rows: Floats, targets: Floats, logistic: bool, order: Indices, anchor: Floats, G: Floats) -> None:
    """G <- G + g(anchor) x for each point of the order."""
    for s in range(len(order)):
        x = rows[order[s]]
        g = slope(logistic, dot(x, anchor), targets[order[s]])
        for c in range(len(x)):
            G[c] += g * x[c]


@compiled
def svrg(
    rows: Floats, targets: Floats, logistic: bool, mu: float,
    order: Indices, sizes: Indices, rates: Floats, w: Floats, anchor: Floats, G: Floats,
) -> None:  # fmt: skip
    """SSVRG's inner update (Frostig et al. 2015, Algorithm 1) for each planned step."""
    for s in range(len(order)):
        j, eta = order[s], rates[s]
        x = rows[j]
        change = slope(logistic, dot(x, w), targets[j]) - slope(logistic, dot(x, anchor), targets[j])
        shrink, push, drift = 1.0 - eta * mu, eta * change, eta / sizes[s]
        for c in range(len(x)):
            w[c] = shrink * w[c] - push * x[c] - drift * G[c]


class DenseState:
    """A model w (d,) over dense rows, the table alpha (n,) and the sum G (d,), all zero at first."""

    def __init__(self, stream: Stream, points: Dense) -> None:
        self.problem = (points.rows, stream.targets, stream.loss == "logistic")
        self.mu = stream.mu
        self.w = np.zeros(points.dimension)
        self.alpha = np.zeros(len(points))
        self.G = np.zeros(points.dimension)
        self.anchored = self.w

    @property
    def weights(self) -> Floats:
        """A copy of the model, (d,)."""
        return self.w.copy()

    def saga(self, plan: Plan) -> None:
        """Take SAGA steps."""
        saga(*self.problem, self.mu, *plan, self.w, self.alpha, self.G)

    def sgd(self, order: Indices, rates: Floats) -> None:
        """Take SGD steps."""
        sgd(*self.problem, self.mu, order, rates, self.w)

    def anchor(self) -> None:
        """Make the present model the anchor, with none of its gradients summed yet."""
        self.anchored = self.weights
        self.G[:] = 0.0

    def anchor_sum(self, order: Indices) -> None:
        """Add the anchor's gradients at these points to G."""
        anchor_sum(*self.problem, order, self.anchored, self.G)

    def svrg(self, plan: Plan) -> None:
        """Take SVRG steps; the plan's sizes say how many gradients G sums."""
        svrg(*self.problem, self.mu, *plan, self.w, self.anchored, self.G)
