"""Steps of a matrix factorization: point j is a rating y of item i by user u, predicted as p_u.q_i.

With e = p_u.q_i - y the loss is e^2 / 2, and its gradient is e q in the user's row, e p in the item's.
It is no multiple of a fixed x_j: the table keeps both rows, alpha_j = (e q, e p). A table of errors
alone, multiplied by the rows of today, would be biased: p and q move on between visits, and G, the sum
of alpha_j over the rows that they touch, would no longer be the sum of what is taken back.

Apart from that the updates are those of ``dense``, with L2 exact and outside the table, in the form of
``lazy``: w = scale (v - moved G), so that a step touches two rows. w is flat, users' rows first.
"""

from __future__ import annotations

import numpy as np

from harness_strsaga.kernels.compiled import Columns, Floats, Indices, compiled
from harness_strsaga.kernels.dense import dot
from harness_strsaga.kernels.lazy import MOVED, SCALE, LazyState, settle, step_clock
from harness_strsaga.kernels.prefetch import FLOATS_A_LINE, coming, touch
from harness_strsaga.kernels.schedule import Plan
from harness_strsaga.kernels.sparse import TINY, ScaledModel
from harness_strsaga.stream import Pairs, Stream

SPREAD = 0.1  # of the first factors: zero would be a saddle point


@compiled
def present(vG: Floats, scale: float, moved: float, first: int, row: Floats) -> None:
    """Write the model's coordinates from ``first`` on into ``row``."""
    for c in range(len(row)):
        row[c] = scale * (vG[first + c, 0] - moved * vG[first + c, 1])


@compiled
def saga(
    users: Columns, items: Columns, targets: Floats, mu: float, order: Indices, sizes: Indices, rates: Floats,
    vG: Floats, alpha: Floats, clock: Floats,
) -> None:  # fmt: skip
    """STRSAGA's update (Jothimurugesan et al. 2018, Algorithm 1) for each planned step."""
    rank = alpha.shape[1] // 2
    p, q = np.empty(rank), np.empty(rank)
    for s in range(len(order)):
        for c in range(0, 2 * rank, FLOATS_A_LINE):
            touch(alpha[coming(order, s)], c)
        if clock[SCALE] < TINY:
            settle(vG, clock)
        j, eta = order[s], rates[s]
        user, item = users[j] * rank, items[j] * rank
        present(vG, clock[SCALE], clock[MOVED], user, p)
        present(vG, clock[SCALE], clock[MOVED], item, q)
        e = dot(p, q) - targets[j]
        step_clock(clock, eta, mu, sizes[s])
        push = eta / clock[SCALE] - clock[MOVED]
        for c in range(rank):
            change_p, change_q = e * q[c] - alpha[j, c], e * p[c] - alpha[j, rank + c]
            vG[user + c, 0] -= push * change_p
            vG[item + c, 0] -= push * change_q
            vG[user + c, 1] += change_p
            vG[item + c, 1] += change_q
            alpha[j, c], alpha[j, rank + c] = e * q[c], e * p[c]


@compiled
def anchor_sum(
    users: Columns, items: Columns, targets: Floats, order: Indices, anchor: Floats, rank: int, vG: Floats
) -> None:
    """Add the anchor's gradient at each point of the order to G; v must be settled."""
    for s in range(len(order)):
        user, item = users[order[s]] * rank, items[order[s]] * rank
        p, q = anchor[user : user + rank], anchor[item : item + rank]
        e = dot(p, q) - targets[order[s]]
        for c in range(rank):
            vG[user + c, 1] += e * q[c]
            vG[item + c, 1] += e * p[c]


@compiled
def svrg(
    users: Columns, items: Columns, targets: Floats, mu: float, order: Indices, sizes: Indices, rates: Floats,
    vG: Floats, anchor: Floats, rank: int, clock: Floats,
) -> None:  # fmt: skip
    """SSVRG's inner update (Frostig et al. 2015, Algorithm 1) for each planned step."""
    p, q = np.empty(rank), np.empty(rank)
    for s in range(len(order)):
        if clock[SCALE] < TINY:
            settle(vG, clock)
        j, eta = order[s], rates[s]
        user, item = users[j] * rank, items[j] * rank
        present(vG, clock[SCALE], clock[MOVED], user, p)
        present(vG, clock[SCALE], clock[MOVED], item, q)
        p_anchor, q_anchor = anchor[user : user + rank], anchor[item : item + rank]
        e, e_anchor = dot(p, q) - targets[j], dot(p_anchor, q_anchor) - targets[j]
        step_clock(clock, eta, mu, sizes[s])
        push = eta / clock[SCALE]
        for c in range(rank):
            vG[user + c, 0] -= push * (e * q[c] - e_anchor * q_anchor[c])
            vG[item + c, 0] -= push * (e * p[c] - e_anchor * p_anchor[c])


@compiled
def sgd(
    users: Columns, items: Columns, targets: Floats, mu: float, order: Indices, rates: Floats,
    v: Floats, rank: int, scale: float,
) -> float:  # fmt: skip
    """SGD's update for each planned step, with w = scale v; return the new scale."""
    for s in range(len(order)):
        if scale < TINY:
            v *= scale
            scale = 1.0
        j, eta = order[s], rates[s]
        user, item = users[j] * rank, items[j] * rank
        p, q = v[user : user + rank], v[item : item + rank]
        e = scale * scale * dot(p, q) - targets[j]
        push = eta * e / (1.0 - eta * mu)
        for c in range(rank):
            p[c], q[c] = p[c] - push * q[c], q[c] - push * p[c]
        scale *= 1.0 - eta * mu
    return scale


class FactorModel(ScaledModel):
    """A factorization for SGD, small and random at first."""

    def __init__(self, stream: Stream, points: Pairs, seed: int) -> None:
        super().__init__(first_factors(stream, points, seed))
        self.problem = (*ratings(stream, points), stream.mu)
        self.rank = stream.rank

    def sgd(self, order: Indices, rates: Floats) -> None:
        """Take SGD steps."""
        self.scale = sgd(*self.problem, order, rates, self.v, self.rank, self.scale)


class FactorState(LazyState):
    """A factorization for variance-reduced steps, small and random at first, and the table alpha (n, 2 rank)."""

    def __init__(self, stream: Stream, points: Pairs, seed: int) -> None:
        super().__init__(first_factors(stream, points, seed), np.zeros((len(points), 2 * stream.rank)))
        self.ratings = ratings(stream, points)
        self.mu = stream.mu
        self.rank = stream.rank

    def saga(self, plan: Plan) -> None:
        """Take SAGA steps."""
        saga(*self.ratings, self.mu, *plan, self.vG, self.alpha, self.clock)

    def anchor_sum(self, order: Indices) -> None:
        """Add the anchor's gradients at these points to G."""
        anchor_sum(*self.ratings, order, self.anchored, self.rank, self.vG)

    def svrg(self, plan: Plan) -> None:
        """Take SVRG steps; the plan's sizes say how many gradients G sums."""
        svrg(*self.ratings, self.mu, *plan, self.vG, self.anchored, self.rank, self.clock)


def ratings(stream: Stream, points: Pairs) -> tuple[Columns, Columns, Floats]:
    """Each point's two rows in the model, and its target."""
    return points.users, points.items + np.int32(points.user_count), stream.targets


def first_factors(stream: Stream, points: Pairs, seed: int) -> Floats:
    """Where every method starts, flat."""
    rows = points.user_count + points.item_count
    return SPREAD * np.random.default_rng(seed).standard_normal(rows * stream.rank)
