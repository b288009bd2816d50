"""scikit-learn's estimators as learners over a stream: no intercept, the stream's own L2 weight."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, SGDClassifier

from harness_strsaga.learners import Learner
from harness_strsaga.stream import Dense, Sparse, Stream

CLASSES = np.array([-1.0, 1.0])


def features(stream: Stream) -> Any:
    """The stream's rows as scikit-learn takes them: an array, or a CSR matrix with 32-bit indices."""
    if isinstance(stream.points, Dense):
        return stream.points.rows
    assert isinstance(stream.points, Sparse)
    from scipy.sparse import csr_matrix

    points = stream.points
    return csr_matrix(
        (points.values, points.columns, points.starts.astype(np.int32)), shape=(len(points), points.dimension)
    )


class WarmSaga(Learner):
    """One epoch of SAGA from the last coefficients; its gradients are as many as the points that arrived."""

    def __init__(self, stream: Stream, *, rate: float, rho: int, seed: int) -> None:
        super().__init__(stream, rate=rate, rho=rho, seed=seed)
        self.rows = features(stream)
        # A generator, not a number, which would have every epoch visit the points in one and the same order.
        random = np.random.RandomState(seed)
        self.model = LogisticRegression(
            solver="saga", warm_start=True, max_iter=1, tol=0.0, fit_intercept=False, random_state=random
        )

    @property
    def weights(self) -> Any:
        """The coefficients, (d,)."""
        return self.model.coef_[0].copy() if hasattr(self.model, "coef_") else np.zeros(self.rows.shape[1])

    def _learn(self, before: int) -> int:
        targets = self.stream.targets[: self.S]
        if len(np.unique(targets)) < len(CLASSES):
            return 0
        # scikit-learn's objective is the sum of losses over C, ours the mean plus mu/2 |w|^2.
        self.model.set_params(C=1.0 / (self.stream.mu * self.S))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.model.fit(self.rows[: self.S], targets)
        return self.S


class PartialSgd(Learner):
    """SGD steps with a constant step size, as many as rho."""

    def __init__(self, stream: Stream, *, rate: float, rho: int, seed: int) -> None:
        super().__init__(stream, rate=rate, rho=rho, seed=seed)
        self.rows = features(stream)
        self.rng = np.random.default_rng(seed)
        self.model = SGDClassifier(
            loss="log_loss",
            alpha=stream.mu,
            learning_rate="constant",
            eta0=rate,
            fit_intercept=False,
            shuffle=False,
            random_state=seed,
        )

    @property
    def weights(self) -> Any:
        """The coefficients, (d,)."""
        return self.model.coef_[0].copy() if hasattr(self.model, "coef_") else np.zeros(self.rows.shape[1])

    def _learn(self, before: int) -> int:
        chosen = self.rng.integers(0, self.S, size=self.rho)
        self.model.partial_fit(self.rows[chosen], self.stream.targets[chosen], classes=CLASSES)
        return self.rho
