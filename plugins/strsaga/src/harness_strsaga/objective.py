"""What a model is judged by: the mean loss, and the regularised objective with its derivatives.

    F(w) = 1/n sum_j l(p_j, y_j) + mu/2 |w|^2

with p_j = x_j.w for rows, and p = U_u.V_i for (user, item) pairs, w being U above V. Written with
matrices, apart from the kernels' loops, so that each checks the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness_strsaga.stream import Dense, Loss, Pairs, Points, Sparse, Stream

Floats = NDArray[np.float64]


def losses(loss: Loss, predictions: Floats, targets: Floats) -> Floats:
    """Each point's loss: log(1 + exp(-y p)), or half the squared error."""
    if loss == "logistic":
        return np.logaddexp(0.0, -targets * predictions)
    return 0.5 * (predictions - targets) ** 2


def slopes(loss: Loss, predictions: Floats, targets: Floats) -> Floats:
    """Each loss's derivative with respect to the prediction."""
    if loss == "logistic":
        return -targets * _sigmoid(-targets * predictions)
    return predictions - targets


def curvatures(loss: Loss, predictions: Floats) -> Floats:
    """Each loss's second derivative with respect to the prediction."""
    if loss == "logistic":
        chance = _sigmoid(predictions)
        return chance * (1 - chance)
    return np.ones_like(predictions)


def _sigmoid(x: Floats) -> Floats:
    from scipy.special import expit

    return np.asarray(expit(x))


@dataclass(frozen=True)
class Objective:
    """Mean loss over some points plus mu/2 |w|^2.

    Weights are (d,) for rows; for pairs any shape that reads as (user_count + item_count, rank),
    users first. Derivatives have the shape of the weights.
    """

    points: Points
    targets: Floats
    loss: Loss
    mu: float = 0.0

    @classmethod
    def over(cls, stream: Stream, arrived: int) -> Objective:
        """The objective over the first ``arrived`` points of a stream."""
        return cls(stream.points.prefix(arrived), stream.targets[:arrived], stream.loss, stream.mu)

    @property
    def convex(self) -> bool:
        """Whether a minimum can be certified."""
        return self.loss != "factorization"

    @cached_property
    def matrix(self) -> Any:
        """The rows as one matrix, dense or CSR; pairs have none."""
        assert not isinstance(self.points, Pairs)
        return self.points.matrix() if isinstance(self.points, Sparse) else self.points.rows

    def predictions(self, weights: Floats) -> Floats:
        """Each point's prediction, (n,)."""
        if isinstance(self.points, Pairs):
            users, items = self._factors(weights)
            return np.asarray(np.einsum("jk,jk->j", users[self.points.users], items[self.points.items]))
        return np.asarray(self.matrix @ weights)

    def mean_loss(self, weights: Floats) -> float:
        """The objective without its L2 term: on held-out points, the risk."""
        return float(losses(self.loss, self.predictions(weights), self.targets).mean())

    def value(self, weights: Floats) -> float:
        """The objective."""
        return self.mean_loss(weights) + 0.5 * self.mu * float(np.vdot(weights, weights))

    def gradient(self, weights: Floats) -> Floats:
        """Its gradient."""
        slope = slopes(self.loss, self.predictions(weights), self.targets) / len(self.targets)
        if isinstance(self.points, Pairs):
            return self._factor_gradient(weights, slope) + self.mu * weights
        return np.asarray(self.matrix.T @ slope) + self.mu * weights

    def curvatures(self, weights: Floats) -> Floats:
        """Each point's share of the second derivative, (n,), for rows."""
        return curvatures(self.loss, self.predictions(weights)) / len(self.targets)

    def hessian(self, weights: Floats) -> Floats:
        """Its second derivative (d, d), for rows."""
        rows, curvature = self.matrix, self.curvatures(weights)
        if isinstance(self.points, Dense):
            scaled = np.sqrt(curvature)[:, None] * rows
            found = scaled.T @ scaled
        else:
            found = (rows.T @ rows.multiply(curvature[:, None]).tocsr()).toarray()
        found.flat[:: len(weights) + 1] += self.mu
        return np.asarray(found)

    def _factors(self, weights: Floats) -> tuple[Floats, Floats]:
        assert isinstance(self.points, Pairs)
        both = weights.reshape(self.points.user_count + self.points.item_count, -1)
        return both[: self.points.user_count], both[self.points.user_count :]

    def _factor_gradient(self, weights: Floats, slope: Floats) -> Floats:
        """Sum the slopes into a users x items matrix; its products with the factors are the gradient."""
        from scipy.sparse import csr_array

        assert isinstance(self.points, Pairs)
        users, items = self._factors(weights)
        shape = (self.points.user_count, self.points.item_count)
        table = csr_array((slope, (self.points.users, self.points.items)), shape=shape)
        return np.concatenate([table @ items, table.T @ users]).reshape(weights.shape)
