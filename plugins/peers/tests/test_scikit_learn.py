"""scikit-learn's estimators as learners: the same problem, the same minimum, the same step."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra scikit-learn")
pytest.importorskip("harness_strsaga", reason="needs the extra scikit-learn")

from scipy.optimize import minimize
from scipy.sparse import csr_array

from harness_peers.learners import PartialSgd, WarmSaga
from harness_peers.scikit_learn import SklearnSaga, SklearnSgd
from harness_strsaga.stream import Dense, Sparse, Stream


def stream(*, sparse: bool) -> Stream:
    rng = np.random.default_rng(5)
    rows = (rng.random((300, 12)) < 0.3).astype(float)
    targets = np.where(rows @ rng.normal(size=12) + rng.normal(size=300) > 0, 1.0, -1.0)
    matrix = csr_array(rows)
    points = Sparse(matrix.data, matrix.indices.astype(np.int32), matrix.indptr.astype(np.int64), 12)
    dense = Dense(rows)
    return Stream(
        points if sparse else dense, targets, np.full(10, 30), dense.prefix(0), targets[:0], "logistic", mu=0.01
    )


def objective(w: np.ndarray, rows: np.ndarray, targets: np.ndarray, mu: float) -> float:
    return float(np.logaddexp(0, -targets * (rows @ w)).mean() + mu / 2 * w @ w)


@pytest.mark.parametrize("sparse", [False, True])
def test_enough_epochs_find_the_minimum_of_the_streams_own_objective(sparse: bool) -> None:
    given, rows = stream(sparse=sparse), stream(sparse=False).points
    assert isinstance(rows, Dense)
    learner = WarmSaga(given, rate=0.1, rho=1, seed=0)
    learner.model.set_params(max_iter=2000)
    assert learner.advance(300) == 300
    problem = (rows.rows, given.targets, given.mu)
    least = minimize(objective, np.zeros(12), args=problem, method="BFGS", options={"gtol": 1e-9}).fun
    assert objective(learner.weights, *problem) - least < 1e-7


def test_one_class_alone_is_waited_out() -> None:
    given = stream(sparse=False)
    first = int(np.flatnonzero(given.targets != given.targets[0])[0])
    learner = WarmSaga(given, rate=0.1, rho=1, seed=0)
    assert learner.advance(first) == 0
    assert learner.advance(first + 1) == first + 1


def test_partial_fit_takes_the_steps_of_plain_sgd() -> None:
    given = stream(sparse=False)
    assert isinstance(given.points, Dense)
    learner = PartialSgd(given, rate=0.05, rho=40, seed=7)
    learner.advance(100)
    w = np.zeros(12)
    for j in np.random.default_rng(7).integers(0, 100, size=40):
        x, y = given.points.rows[j], given.targets[j]
        w = (1 - 0.05 * given.mu) * w + 0.05 * y / (1 + np.exp(y * (x @ w))) * x
    np.testing.assert_allclose(learner.weights, w, rtol=1e-9)


def test_a_loss_that_is_not_logistic_is_refused() -> None:
    from harness_strsaga.workloads import MovielensStream

    for peer in (SklearnSaga(), SklearnSgd()):
        assert "logistic" in peer.refuses(MovielensStream(), None)  # type: ignore[arg-type]
