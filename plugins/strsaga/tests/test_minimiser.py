"""Certified minima, against scikit-learn, closed forms and strong convexity itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from streams import densified, stream

from harness import HarnessError
from harness_strsaga import minimiser
from harness_strsaga.minimiser import Minimum, minima, minimum
from harness_strsaga.objective import Objective
from harness_strsaga.sampling import dimension
from harness_strsaga.stream import Stream


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))


def solved(of: Stream) -> Minimum:
    return minimum(Objective.over(of, len(of.points)), np.zeros(dimension(of)))


@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_the_logistic_minimum_is_scikit_learns(layout: str) -> None:
    of = stream(layout, [300], mu=0.01)
    found = solved(of)
    rows = (of if layout == "dense" else densified(of)).points.rows  # type: ignore[union-attr]
    peer = LogisticRegression(C=1 / (of.mu * len(rows)), fit_intercept=False, tol=1e-10, max_iter=1000)
    np.testing.assert_allclose(found.weights, peer.fit(rows, of.targets).coef_[0], atol=1e-6)


def test_the_ridge_minimum_solves_the_normal_equations() -> None:
    of = stream("dense", [200], loss="ridge", mu=0.1)
    rows = of.points.rows  # type: ignore[union-attr]
    expected = np.linalg.solve(rows.T @ rows / 200 + 0.1 * np.eye(7), rows.T @ of.targets / 200)
    np.testing.assert_allclose(solved(of).weights, expected, atol=1e-8)


@pytest.mark.parametrize("mu", [1e-5, 1e-2])
def test_conjugate_gradients_find_what_the_cholesky_factor_finds(monkeypatch: pytest.MonkeyPatch, mu: float) -> None:
    for layout in ("dense", "sparse"):
        of = stream(layout, [150], mu=mu, d=40, nnz=5)
        direct = solved(of)
        monkeypatch.setattr(minimiser, "DENSE_LIMIT", 0)
        assert solved(of).value == pytest.approx(direct.value, abs=2e-12)
        monkeypatch.undo()


def test_many_more_features_than_points_are_no_obstacle() -> None:
    of = stream("sparse", [100], mu=1e-4, d=3000, nnz=20)
    found = solved(of)
    objective = Objective.over(of, 100)
    peer = minimize(objective.value, np.zeros(3000), jac=objective.gradient, method="L-BFGS-B", options={"gtol": 1e-9})
    assert found.value <= peer.fun + 1e-12
    assert found.value == pytest.approx(peer.fun, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(["dense", "sparse"]), st.sampled_from(["logistic", "ridge"]))
def test_no_point_lies_below_a_minimum_and_the_bound_is_kept(seed: int, layout: str, loss: str) -> None:
    of = stream(layout, [25], seed=seed, loss=loss, mu=1e-3)
    objective, found = Objective.over(of, 25), solved(of)
    gradient = objective.gradient(found.weights)
    assert gradient @ gradient / (2 * of.mu) <= 1e-12
    steps = np.random.default_rng(seed).standard_normal((20, len(gradient)))
    around = [found.weights + length * step for step in steps for length in (1e-6, 1e-3, 1)]
    assert min(objective.value(w) for w in around) >= found.value - 1e-12


def test_a_start_far_away_is_brought_back_by_shorter_steps() -> None:
    of = stream("dense", [100], mu=1e-4)
    far = minimum(Objective.over(of, 100), np.full(7, 300.0))
    assert far.value == pytest.approx(solved(of).value, abs=2e-12)


def test_prefixes_minima_are_those_of_prefixes_solved_alone() -> None:
    of = stream("dense", [60, 0, 140, 300], mu=1e-3)
    counts = [1, 60, 60, 200, 500]
    found = minima(of, counts)
    alone = [minimum(Objective.over(of, n), np.zeros(7)).value for n in counts]
    np.testing.assert_allclose(found["values"], alone, atol=2e-12)
    assert (found["bounds"] <= 1e-12).all()


def test_minima_are_solved_once_and_again_when_anything_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    solves: list[int] = []
    real = minimiser.minimum

    def counting(objective: Objective, *rest: object) -> Minimum:
        solves.append(len(objective.targets))
        return real(objective, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(minimiser, "minimum", counting)
    of = stream("dense", [30])
    for _ in range(3):
        minima(of, [10, 30])
    assert solves == [10, 30]
    minima(of, [10, 20])
    minima(dataclasses.replace(of, mu=0.02), [10, 30])
    minima(dataclasses.replace(of, targets=-of.targets), [10, 30])
    assert solves == [10, 30, 10, 20, 10, 30, 10, 30]


def test_what_has_no_certified_minimum_is_refused() -> None:
    with pytest.raises(HarnessError, match="convex"):
        solved(stream("pairs", [20]))
    with pytest.raises(HarnessError, match="mu > 0"):
        solved(stream("dense", [20], mu=0.0))
