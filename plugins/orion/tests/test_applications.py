"""The paper's applications: each body does what its method says, by a second way to compute it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness_orion import Loop
from harness_orion.applications import boosting, factorization, ratings, regression, stencil, topics

RNG = np.random.default_rng(7)


def few(count: int = 300) -> ratings.Ratings:
    rows, columns = RNG.integers(0, 20, count), RNG.integers(0, 10, count)
    return ratings.Ratings(rows, columns, RNG.normal(3.5, 1.0, count).astype(np.float32), (20, 10))


def test_sgd_goes_down_the_gradient_of_one_ratings_error() -> None:
    W, H = (m.astype(np.float64) for m in factorization.initial_factors((3, 4), 5, seed=0))
    before = W[1].copy(), H[2].copy()

    def objective(w: np.ndarray, h: np.ndarray) -> float:
        return 0.5 * float((2.0 - w @ h) ** 2 + 0.1 * (w @ w + h @ h))

    factorization.sgd((1, 2), 2.0, W, H, 0.01, 0.1)
    for k in range(5):
        step = np.eye(5)[k] * 1e-6
        slope = (objective(before[0] + step, before[1]) - objective(before[0] - step, before[1])) / 2e-6
        assert W[1, k] == pytest.approx(before[0][k] - 0.01 * slope, abs=1e-8)
        slope = (objective(before[0], before[1] + step) - objective(before[0], before[1] - step)) / 2e-6
        assert H[2, k] == pytest.approx(before[1][k] - 0.01 * slope, abs=1e-8)


def test_adagrad_leaves_the_other_dimensions_alone_until_it_is_late() -> None:
    W, H = factorization.initial_factors((20, 10), 12, seed=1)
    given, known = factorization.adagrad_arrays(W, H, rate=0.1, decay=0.05), few()
    loop = Loop(factorization.adagrad, known.entries())
    loop(*given)
    after = factorization.adagrad_factors(given)
    assert np.array_equal(after[0][:, 8:], W[:, 8:])
    assert not np.array_equal(after[0][:, :8], W[:, :8])
    given[8].values[0] = 1
    loop(*given)
    assert not np.array_equal(factorization.adagrad_factors(given)[0][:, 8:], W[:, 8:])


def test_adarevision_without_delay_is_adagrad_by_element() -> None:
    W, H = factorization.initial_factors((20, 10), 3, seed=2)
    expected = [W.astype(np.float64), H.astype(np.float64), np.ones_like(W, float), np.ones_like(H, float)]
    known = few(60)
    for i, j, value in zip(known.rows, known.columns, known.values, strict=True):
        w, h = expected[0][i].copy(), expected[1][j].copy()
        e = value - w @ h
        for x, squares, slope, n in ((0, 2, 0.05 * w - e * h, i), (1, 3, 0.05 * h - e * w, j)):
            expected[squares][n] += slope**2
            expected[x][n] -= 0.1 / np.sqrt(expected[squares][n]) * slope
    given = factorization.adarevision_arrays(W, H, rate=0.1, decay=0.05)
    Loop(factorization.adarevision, known.entries())(*given)
    assert np.allclose(given[0].values, expected[0], atol=1e-4)
    assert np.allclose(given[1].values, expected[1], atol=1e-4)


def text() -> topics.Text:
    return topics.Text(RNG.integers(0, 6, 400), RNG.integers(0, 15, 400), (6, 15))


def test_gibbs_keeps_counts_and_topics_of_tokens_in_step() -> None:
    space = topics.space(text(), 4, seed=0)
    given = topics.arrays(space, 4, alpha=0.1, beta=0.01)
    Loop(topics.gibbs, space)(*given)
    counted = topics.arrays(space, 4, alpha=0.1, beta=0.01)
    for mine, theirs in zip(given[:3], counted[:3], strict=True):
        assert np.array_equal(mine.values, theirs.values)


def test_gibbs_draws_topics_with_the_probabilities_of_the_formula() -> None:
    documents, words = np.array([[3.0, 1.0, 0.0]]), np.array([[1.0, 4.0, 2.0]])
    totals, changes = np.array([10.0, 6.0, 3.0]), np.zeros(3)
    weights = (documents[0] - [0, 1, 0] + 0.5) * (words[0] - [0, 1, 0] + 0.2) / (totals + 2.0)
    drawn = np.zeros(3)
    for state in RNG.integers(1, topics.MODULUS, 4000):
        value = np.array([1, state])
        topics.gibbs((0, 0), value, documents.copy(), words.copy(), totals, changes, 0.5, 0.2, 2.0)
        drawn[value[0]] += 1
    expected = weights / weights.sum() * 4000
    assert float(((drawn - expected) ** 2 / expected).sum()) < 20  # chi squared, 2 degrees of freedom: 5e-5


def test_one_topic_has_the_likelihood_of_the_words_shares() -> None:
    read = text()
    given = topics.arrays(topics.space(read, 1, seed=0), 1, alpha=0.1, beta=1e-9)
    counts = np.bincount(read.words)
    expected = sum(c * math.log(c / len(read)) for c in counts if c) / len(read)
    found = topics.log_likelihood(read, given[0].values, given[1].values, alpha=0.1, beta=1e-9)
    assert found == pytest.approx(expected)


def test_regression_steps_down_the_gradient_of_a_samples_loss() -> None:
    columns, labels = RNG.integers(0, 8, (1, 5)), np.array([-1.0])
    given = regression.arrays(8, rate=0.1, max_delay=None)
    given[0].values[:] = weights = RNG.normal(size=8)
    before = weights.copy()
    Loop(regression.descend, regression.space(columns, labels, seed=0))(*given)
    ones = np.bincount(columns[0], minlength=8)
    expected = before - 0.1 * ones * -labels[0] / (1 + np.exp(labels[0] * (ones @ before)))
    assert np.allclose(given[0].values, expected)


def test_relaxing_often_solves_the_equation() -> None:
    U, F = stencil.arrays(6, seed=0)
    loop = Loop(stencil.relax, stencil.inner(6), ordered=True)
    assert stencil.residual(U.values, F.values) == pytest.approx(1.0)
    for _ in range(300):
        loop(U, F)
    line = 2 * np.eye(6) - np.eye(6, k=1) - np.eye(6, k=-1)
    matrix = np.kron(line, np.eye(6)) + np.kron(np.eye(6), line)
    assert np.allclose(U.values[1:-1, 1:-1].ravel(), np.linalg.solve(matrix, F.values[1:-1, 1:-1].ravel()))


def test_a_trees_first_split_is_the_best_of_all_splits() -> None:
    bins, labels = RNG.integers(0, 5, (3, 200)), np.where(RNG.random(200) < 0.4, 1.0, -1.0)
    shape = boosting.Shape(depth=2, bins=5, rate=0.3)
    given = boosting.arrays(bins, labels, shape)
    Loop(boosting.histogram, bins)(*given)
    g, h = given[2].values, given[3].values

    def gain(right: np.ndarray) -> float:
        return sum(float(g[side].sum() ** 2 / (h[side].sum() + 1)) for side in (right, ~right))

    boosting.grow(given, bins, labels, 0, shape)
    best = max(gain(bins[f] > cut) for f in range(3) for cut in range(5))
    assert gain(given[1].values == 1) == pytest.approx(best)


def test_trees_learn_what_one_feature_decides() -> None:
    bins = RNG.integers(0, 5, (3, 200))
    labels = np.where(bins[1] > 2, 1.0, -1.0)
    shape = boosting.Shape(depth=2, bins=5, rate=0.3)
    given = boosting.arrays(bins, labels, shape)
    loop = Loop(boosting.histogram, bins)
    for level in range(10):
        loop(*given)
        boosting.grow(given, bins, labels, level % 2, shape)
    assert ((given[4].values > 0) == (labels > 0)).all()


def test_power_law_ratings_follow_the_law(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    made = ratings.power_law(200_000, (50, 20), exponent=1.0, seed=3)
    counts = np.sort(np.bincount(made.rows, minlength=50))[::-1]
    shares = 1 / np.arange(1, 51) / sum(1 / r for r in range(1, 51))
    assert np.allclose(counts / 200_000, shares, atol=0.004)
    again = ratings.power_law(200_000, (50, 20), exponent=1.0, seed=3)
    assert np.array_equal(made.values, again.values)


def test_a_split_holds_out_a_tenth_and_loses_nothing() -> None:
    known = few(1000)
    train, held_out = ratings.split(known, seed=4)
    assert (len(train), len(held_out)) == (900, 100)
    assert sorted(np.concatenate([train.values, held_out.values])) == sorted(known.values)
    assert not np.array_equal(train.values, ratings.split(known, seed=5)[0].values)
