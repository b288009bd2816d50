from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from streams import LAYOUTS, stream

from harness import HarnessError
from harness_strsaga.learners import BareSgd, Dynasaga, Learner, Saga, Sgd, Ssvrg, Strsaga
from harness_strsaga.stream import Dense, Pairs, Sparse, Stream

SSVRG = {"anchors": 2, "growth": 1.5, "inner": 5}
PAIRS: dict[str, tuple[Callable[..., Learner], Callable[..., Any]]] = {
    "strsaga": (Strsaga, oracle.strsaga),
    "dynasaga": (Dynasaga, oracle.dynasaga),
    "dynasaga, original": (partial(Dynasaga, original=True), oracle.daneshmand),
    "saga": (Saga, oracle.saga),
    "saga, whole": (partial(Saga, whole=True), partial(oracle.saga, whole=True)),
    "sgd": (Sgd, oracle.sgd),
    "sgd, decaying": (partial(Sgd, decay=0.1), partial(oracle.sgd, decay=0.1)),
    "sgd, single pass": (partial(Sgd, single_pass=True), partial(oracle.sgd, single_pass=True)),
    "bare sgd": (BareSgd, oracle.sgd),
    "ssvrg": (partial(Ssvrg, **SSVRG), partial(oracle.ssvrg, **SSVRG)),
}
EXACTLY_RHO = {name: make for name, (make, _) in PAIRS.items() if "dynasaga" not in name and "single" not in name}
few = settings(max_examples=25, deadline=None)
arrivals = st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any)


def poisoned(of: Stream, S: int) -> Stream:
    """The stream with nothing but NaN after the first S points."""
    points, targets = of.points, np.where(np.arange(len(of.points)) < S, of.targets, np.nan)
    if isinstance(points, Dense):
        rows = points.rows.copy()
        rows[S:] = np.nan
        points = Dense(rows)
    elif isinstance(points, Sparse):
        later = np.arange(len(points.values)) >= points.starts[S]
        points = dataclasses.replace(points, values=np.where(later, np.nan, points.values))
    return dataclasses.replace(of, points=points, targets=targets)


def minimum(of: Stream) -> tuple[Callable[[Any], float], float]:
    """How far a model's objective is from the least, by BFGS on the dense rows."""
    assert isinstance(of.points, Dense)
    X, y = of.points.rows, of.targets

    def objective(w: Any) -> float:
        return float(np.logaddexp(0, -y * (X @ w)).mean() + of.mu / 2 * w @ w)

    def slope(w: Any) -> Any:
        return X.T @ (-y / (1 + np.exp(y * (X @ w)))) / len(y) + of.mu * w

    found = minimize(objective, np.zeros(X.shape[1]), jac=slope, method="L-BFGS-B", options={"ftol": 0, "gtol": 1e-12})
    return objective, float(found.fun)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("method", PAIRS)
@few
@given(
    arrivals=arrivals, rho=st.integers(0, 12), loss=st.sampled_from(["logistic", "ridge"]), seed=st.integers(0, 999),
    mu=st.sampled_from([0.0, 0.02, 3.0]),
)  # fmt: skip
def test_learners_agree_with_the_papers_algorithms(
    layout: str, method: str, arrivals: list[int], rho: int, loss: str, seed: int, mu: float
) -> None:
    of = stream(layout, arrivals, loss=loss, seed=seed, mu=mu)
    make, reference = PAIRS[method]
    learner = make(of, rate=0.1, rho=rho, seed=seed)
    for S, expected in zip(of.arrived, reference(of, learner.weights, rate=0.1, rho=rho, seed=seed), strict=True):
        learner.advance(int(S))
        np.testing.assert_allclose(learner.weights, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("layout", ["dense", "sparse"])
@few
@given(arrivals=arrivals, rho=st.integers(1, 12), seed=st.integers(0, 999))
def test_the_original_dynasaga_has_its_own_step_size(layout: str, arrivals: list[int], rho: int, seed: int) -> None:
    of = stream(layout, arrivals, seed=seed, nnz=7)
    if not oracle.smoothness(of, int(of.arrived[np.flatnonzero(of.arrived)[0]])):
        return
    learner = Dynasaga(of, rate=None, rho=rho, seed=seed, original=True)
    expected = oracle.daneshmand(of, learner.weights, rate=None, rho=rho, seed=seed)
    for S, weights in zip(of.arrived, expected, strict=True):
        learner.advance(int(S))
        np.testing.assert_allclose(learner.weights, weights, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@few
@given(arrivals=arrivals, rho=st.integers(0, 12), seed=st.integers(0, 999))
def test_the_effective_set_grows_by_half_of_rho_at_most_and_nothing_beyond_it_is_stored(
    layout: str, arrivals: list[int], rho: int, seed: int
) -> None:
    of = stream(layout, arrivals, seed=seed)
    learner = Strsaga(of, rate=0.1, rho=rho, seed=seed)
    for S in of.arrived:
        before = learner.T
        learner.advance(int(S))
        assert before <= learner.T <= min(S, before + -(-rho // 2))
        assert not learner.alpha[learner.T :].any()


@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_G_is_the_sum_over_the_table(layout: str) -> None:
    of = stream(layout, [50, 20, 0, 30])
    learner = Strsaga(of, rate=0.3, rho=90, seed=1)
    for S in of.arrived:
        learner.advance(int(S))
    assert isinstance(of.points, Dense | Sparse)
    recomputed = sum(learner.alpha[j] * oracle.row(of.points, j) for j in range(learner.T))
    np.testing.assert_allclose(learner.G, recomputed, rtol=1e-12, atol=1e-12)


def test_G_of_a_factorization_sums_the_rows_of_the_table() -> None:
    of = stream("pairs", [50, 20, 0, 30])
    learner = Strsaga(of, rate=0.1, rho=90, seed=1)
    for S in of.arrived:
        learner.advance(int(S))
    assert isinstance(of.points, Pairs)
    recomputed = np.zeros((9, 3))
    np.add.at(recomputed, of.points.users, learner.alpha[:, :3])
    np.add.at(recomputed, 5 + of.points.items, learner.alpha[:, 3:])
    np.testing.assert_allclose(learner.G, recomputed.ravel(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_with_everything_there_at_once_strsaga_is_dynasaga(layout: str) -> None:
    of = stream(layout, [40])
    online, offline = (make(of, rate=0.1, rho=500, seed=3) for make in (Strsaga, Dynasaga))
    assert online.advance(40) == offline.advance(40) == 500
    np.testing.assert_allclose(online.weights, offline.weights, rtol=1e-13, atol=0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_strsaga_with_all_points_in_an_empty_table_is_saga(layout: str) -> None:
    of = stream(layout, [40])
    strsaga, saga = (make(of, rate=0.1, rho=500, seed=3) for make in (Strsaga, Saga))
    strsaga.T = 40
    strsaga.advance(40)
    saga.advance(40)
    np.testing.assert_allclose(strsaga.weights, saga.weights, rtol=1e-13, atol=0)


@pytest.mark.parametrize("method", EXACTLY_RHO)
@few
@given(arrivals=arrivals, rho=st.integers(0, 12))
def test_an_arrival_takes_exactly_rho_gradients(method: str, arrivals: list[int], rho: int) -> None:
    of = stream("dense", arrivals)
    learner = EXACTLY_RHO[method](of, rate=0.1, rho=rho, seed=0)
    spent = [learner.advance(int(S)) for S in of.arrived]
    assert spent == [rho if S else 0 for S in of.arrived]
    assert learner.gradients == sum(spent)


def test_the_offline_learner_takes_rho_gradients_for_each_arrival_so_far() -> None:
    of = stream("dense", [5, 5, 5])
    assert [Dynasaga(of, rate=0.1, rho=4, seed=0).advance(5)] == [4]
    learner = Dynasaga(of, rate=0.1, rho=4, seed=0)
    assert [learner.advance(S) for S in (5, 10, 15)] == [4, 8, 12]


def test_a_single_pass_visits_no_more_points_than_arrived() -> None:
    of = stream("dense", [5, 0, 2])
    learner = Sgd(of, rate=0.1, rho=3, seed=0, single_pass=True)
    assert [learner.advance(int(S)) for S in of.arrived] == [3, 0, 2]


def test_half_of_the_points_are_taken_where_rho_equals_the_arrivals() -> None:
    of = stream("dense", [20] * 10)
    learner = Strsaga(of, rate=0.1, rho=20, seed=0)
    for S in of.arrived:
        learner.advance(int(S))
    assert learner.T == 100


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("method", [name for name in PAIRS if name != "saga, whole"])
def test_nothing_depends_on_points_that_have_not_arrived(layout: str, method: str) -> None:
    of = stream(layout, [6, 3, 0, 8, 20])
    make = PAIRS[method][0]
    clean, poison = (make(s, rate=0.1, rho=11, seed=2) for s in (of, poisoned(of, 17)))
    for S in of.arrived[:4]:
        clean.advance(int(S))
        poison.advance(int(S))
    assert np.isfinite(poison.weights).all()
    np.testing.assert_array_equal(clean.weights, poison.weights)


@pytest.mark.parametrize("method", ["strsaga", "dynasaga", "saga"])
def test_once_arrivals_stop_the_model_converges_linearly_and_sgd_does_not(method: str) -> None:
    of = stream("dense", [100] + [0] * 9, mu=0.05)
    objective, least = minimum(of)
    learner, sgd = (make(of, rate=0.5, rho=1000, seed=0) for make in (PAIRS[method][0], Sgd))
    gaps = []
    for _ in range(10):
        learner.advance(100)
        sgd.advance(100)
        gaps.append(objective(learner.weights) - least)
    assert gaps[1] < 1e-2 * gaps[0] < 1e-4
    assert abs(gaps[-1]) < 1e-13
    assert objective(sgd.weights) - least > 1e-5


def test_ssvrg_gets_nearer_than_sgd_with_the_same_step_size() -> None:
    of = stream("dense", [300] + [0] * 9, mu=0.05)
    objective, least = minimum(of)
    gaps: dict[type[Learner], list[float]] = {Sgd: [], Ssvrg: []}
    for kind, found in gaps.items():
        learner = kind(of, rate=0.1, rho=5000, seed=0)
        for _ in range(10):
            learner.advance(300)
            found.append(objective(learner.weights) - least)
    assert 0 <= np.median(gaps[Ssvrg]) < 0.1 * np.median(gaps[Sgd])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("method", PAIRS)
def test_equal_seeds_repeat_exactly_and_others_do_not(layout: str, method: str) -> None:
    of = stream(layout, [30, 30])

    def run(seed: int) -> Any:
        learner = PAIRS[method][0](of, rate=0.1, rho=40, seed=seed)
        for S in of.arrived:
            learner.advance(int(S))
        return learner.weights

    assert np.array_equal(run(1), run(1))
    if layout == "pairs" or "single" not in method:
        assert not np.array_equal(run(1), run(2))


def test_all_methods_start_a_factorization_alike() -> None:
    of = stream("pairs", [5])
    starts = [make(of, rate=0.1, rho=1, seed=4).weights for make, _ in PAIRS.values()]
    assert all(np.array_equal(starts[0], other) for other in starts)
    assert starts[0].any()


@pytest.mark.parametrize("rate", [100.0, 500.0])
def test_a_step_that_shrinks_the_model_past_zero_is_refused(rate: float) -> None:
    with pytest.raises(HarnessError, match=r"rate: must be below 1/mu = 100"):
        Strsaga(stream("dense", [5], mu=0.01), rate=rate, rho=1, seed=0)


@pytest.mark.parametrize("arrived", [2, 6])
def test_points_cannot_leave_nor_outnumber_the_stream(arrived: int) -> None:
    learner = Sgd(stream("dense", [5]), rate=0.1, rho=1, seed=0)
    learner.advance(3)
    with pytest.raises(HarnessError, match=f"arrived: must be from 3 to 5, not {arrived}"):
        learner.advance(arrived)


def test_a_step_size_of_its_own_needs_the_original_schedule() -> None:
    with pytest.raises(HarnessError, match="original schedule"):
        Dynasaga(stream("dense", [5]), rate=None, rho=1, seed=0)
