"""Objectives and their derivatives, against one-point-at-a-time loops and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from oracle import row
from streams import stream

from harness_strsaga.objective import Objective
from harness_strsaga.sampling import dimension
from harness_strsaga.stream import Dense, Pairs, Stream

PROBLEMS = [("dense", "logistic"), ("dense", "ridge"), ("sparse", "logistic"), ("sparse", "ridge"), ("pairs", "")]
LINEAR = PROBLEMS[:4]


def problem(layout: str, loss: str) -> tuple[Stream, Objective, NDArray[np.float64]]:
    found = stream(layout, [40], loss=loss, mu=0.03)
    weights = np.random.default_rng(1).standard_normal(dimension(found))
    return found, Objective.over(found, 30), weights


def by_hand(of: Stream, count: int, weights: NDArray[np.float64]) -> float:
    total = 0.0
    for j in range(count):
        y = of.targets[j]
        if isinstance(of.points, Pairs):
            factors = weights.reshape(-1, of.rank)
            prediction = factors[of.points.users[j]] @ factors[5 + of.points.items[j]]
        else:
            prediction = row(of.points, j) @ weights
        total += math.log1p(math.exp(-y * prediction)) if of.loss == "logistic" else (prediction - y) ** 2 / 2
    return float(total / count + of.mu / 2 * sum(w * w for w in weights))


@pytest.mark.parametrize(("layout", "loss"), PROBLEMS)
def test_the_objective_is_the_mean_loss_and_half_mu_times_the_squared_norm(layout: str, loss: str) -> None:
    of, objective, weights = problem(layout, loss)
    assert objective.value(weights) == pytest.approx(by_hand(of, 30, weights), rel=1e-12)
    assert objective.mean_loss(weights) == pytest.approx(
        objective.value(weights) - 0.015 * float(weights @ weights), rel=1e-12
    )


@pytest.mark.parametrize(("layout", "loss"), PROBLEMS)
def test_gradients_agree_with_central_differences(layout: str, loss: str) -> None:
    _, objective, weights = problem(layout, loss)
    h, eye = 1e-5, np.eye(len(weights))
    expected = [(objective.value(weights + h * e) - objective.value(weights - h * e)) / (2 * h) for e in eye]
    np.testing.assert_allclose(objective.gradient(weights), expected, atol=1e-9)


@pytest.mark.parametrize(("layout", "loss"), LINEAR)
def test_hessians_agree_with_central_differences_of_the_gradient(layout: str, loss: str) -> None:
    _, objective, weights = problem(layout, loss)
    h, eye = 1e-5, np.eye(len(weights))
    expected = [(objective.gradient(weights + h * e) - objective.gradient(weights - h * e)) / (2 * h) for e in eye]
    np.testing.assert_allclose(objective.hessian(weights), expected, atol=1e-9)


def test_a_factorization_reads_flat_weights_and_rows_of_factors_alike() -> None:
    of, objective, weights = problem("pairs", "")
    assert objective.value(weights.reshape(-1, of.rank)) == objective.value(weights)
    np.testing.assert_array_equal(objective.gradient(weights.reshape(-1, of.rank)).ravel(), objective.gradient(weights))


def test_a_prediction_far_from_zero_neither_overflows_nor_loses_its_loss() -> None:
    objective = Objective(Dense(np.array([[1e4], [-1e4]])), np.ones(2), "logistic")
    assert objective.mean_loss(np.ones(1)) == pytest.approx(5e3)
    assert objective.gradient(np.ones(1)) == pytest.approx(5e3)
