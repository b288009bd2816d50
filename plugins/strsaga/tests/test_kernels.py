from __future__ import annotations

import dataclasses

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.stats import chisquare
from streams import LAYOUTS, densified, stream

from harness import HarnessError
from harness_strsaga import kernels
from harness_strsaga.kernels import Plan
from harness_strsaga.kernels.factorization import FactorModel
from harness_strsaga.kernels.losses import slope
from harness_strsaga.kernels.randomness import below, seeded, uniform_order, word
from harness_strsaga.kernels.schedule import dynasaga_order, strsaga_order
from harness_strsaga.kernels.smoothness import smoothness
from harness_strsaga.stream import Sparse

# The first example of a property waits for compilation.
few = settings(max_examples=40, deadline=None)


def plan(n: int, steps: int, *, eta: float, seed: int = 0) -> Plan:
    """Random visits, the table growing from 1 to n."""
    sizes = np.linspace(1, n, steps).astype(np.int64)
    return Plan(np.random.default_rng(seed).integers(0, n, steps), sizes, np.full(steps, eta))


def relative_difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / np.abs(b).max())


def test_splitmix_gives_the_reference_sequence() -> None:
    # The first outputs for the state 1234567, as in the tests of several published implementations.
    state = np.array([1234567], np.uint64)
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert [int(word(state)) for _ in expected] == expected


@few
@given(seed=st.integers(0, 2**32), counts=st.lists(st.integers(1, 2**32 - 1), min_size=1, max_size=50))
def test_bounded_integers_are_those_of_python_arithmetic(seed: int, counts: list[int]) -> None:
    state, reference = seeded(seed), oracle.SplitMix(seed)
    assert [below(state, count) for count in counts] == [reference.below(count) for count in counts]


@pytest.mark.parametrize("count", [3 * 2**30, 2**31 + 1, 2**32 - 1])
def test_words_that_would_bias_an_integer_are_redrawn(count: int) -> None:
    state, reference = seeded(0), oracle.SplitMix(0)
    assert [below(state, count) for _ in range(200)] == [reference.below(count) for _ in range(200)]


def test_indices_are_uniform() -> None:
    order = np.empty(100_000, np.int64)
    uniform_order(seeded(1), 17, order)
    assert chisquare(np.bincount(order, minlength=17)).pvalue > 1e-3


@pytest.mark.parametrize("target", [-1.0, 1.0])
def test_the_logistic_slope_is_stable_far_out(target: float) -> None:
    assert slope(True, 1000 * target, target) == 0.0
    assert slope(True, -1000 * target, target) == -target


@pytest.mark.parametrize("logistic", [True, False])
@pytest.mark.parametrize("target", [-1.0, 1.0])
def test_slopes_are_derivatives_of_the_losses(logistic: bool, target: float) -> None:
    def loss(z: np.ndarray) -> float:
        return float(np.logaddexp(0, -target * z[0]) if logistic else 0.5 * (z[0] - target) ** 2)

    for z in (-3.0, -0.1, 0.0, 2.0):
        assert slope(logistic, z, target) == pytest.approx(approx_fprime([z], loss)[0], abs=1e-6)


@few
@given(taken=st.integers(0, 30), more=st.integers(0, 30), steps=st.integers(0, 40), seed=st.integers(0, 99))
def test_strsaga_takes_new_points_in_order_at_even_steps(taken: int, more: int, steps: int, seed: int) -> None:
    arrived = max(taken + more, 1)
    order, sizes = np.empty(steps, np.int64), np.empty(steps, np.int64)
    T = strsaga_order(seeded(seed), taken, arrived, order, sizes)
    assert min(arrived, taken + -(-steps // 2)) == T
    table = taken
    for s in range(steps):
        assert sizes[s] == max(table, 1)
        if s % 2 == 0 and table < arrived:
            assert order[s] == table
            table += 1
        else:
            assert 0 <= order[s] < table


@few
@given(arrived=st.integers(1, 50), steps=st.integers(0, 200))
def test_daneshmands_sample_grows_every_second_step_from_the_third(arrived: int, steps: int) -> None:
    order, sizes = np.empty(steps, np.int64), np.empty(steps, np.int64)
    dynasaga_order(seeded(0), arrived, order, sizes)
    assert np.array_equal(sizes, np.minimum((np.arange(steps) + 1) // 2, arrived).clip(1))
    assert (order < sizes).all()


@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_smoothness_is_the_largest_second_derivative(layout: str) -> None:
    of = stream(layout, [20], loss="ridge")
    rows = [oracle.row(of.points, j) for j in range(20)]  # type: ignore[arg-type]
    assert smoothness(of, 5, 12) == pytest.approx(max(x @ x for x in rows[5:12]))
    assert smoothness(dataclasses.replace(of, loss="logistic"), 0, 20) == pytest.approx(max(x @ x for x in rows) / 4)
    assert smoothness(of, 5, 5) == 0.0


def test_a_factorization_has_no_smoothness() -> None:
    with pytest.raises(HarnessError, match="give a number"):
        smoothness(stream("pairs", [5]), 0, 5)


@few
@given(
    loss=st.sampled_from(["logistic", "ridge"]), n=st.integers(1, 30), d=st.integers(1, 40), nnz=st.integers(0, 6),
    mu_eta=st.sampled_from([0.0, 1e-4, 0.05, 0.9]), seed=st.integers(0, 99),
)  # fmt: skip
def test_lazy_steps_equal_dense_ones(loss: str, n: int, d: int, nnz: int, mu_eta: float, seed: int) -> None:
    of = stream("sparse", [n], loss=loss, seed=seed, mu=mu_eta / 0.05, d=d, nnz=nnz)
    lazy, dense = kernels.corrected(of, 0), kernels.corrected(densified(of), 0)
    for steps in (1, 7, 300):
        lazy.saga(plan(n, steps, eta=0.05, seed=seed))
        dense.saga(plan(n, steps, eta=0.05, seed=seed))
        np.testing.assert_allclose(lazy.weights, dense.weights, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(lazy.alpha, dense.alpha, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(lazy.G, dense.G, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("mu_eta", [0.0, 1e-5, 1e-2, 0.5, 0.99])
@pytest.mark.parametrize("d", [10, 3000])
def test_lazy_steps_equal_dense_ones_after_many_steps(mu_eta: float, d: int) -> None:
    of = stream("sparse", [500], seed=1, mu=mu_eta / 0.3, d=d, nnz=8)
    lazy, dense = kernels.corrected(of, 0), kernels.corrected(densified(of), 0)
    for state in (lazy, dense):
        state.saga(plan(500, 100_000 if d == 10 else 20_000, eta=0.3))
    assert relative_difference(lazy.weights, dense.weights) < 1e-12


@pytest.mark.parametrize("mu_eta", [0.0, 1e-2, 0.99])
def test_sparse_sgd_equals_dense_sgd_after_many_steps(mu_eta: float) -> None:
    of = stream("sparse", [500], seed=1, mu=mu_eta / 0.3, d=50, nnz=8)
    lazy, dense = kernels.plain(of, 0), kernels.plain(densified(of), 0)
    order, _, rates = plan(500, 100_000, eta=0.3)
    for state in (lazy, dense):
        state.sgd(order, rates)
    assert relative_difference(lazy.weights, dense.weights) < 1e-12


def test_a_column_that_a_row_names_twice_counts_twice() -> None:
    of = stream("sparse", [40], d=6, nnz=4)
    assert isinstance(of.points, Sparse)
    columns = of.points.columns // 2
    doubled = dataclasses.replace(of, points=dataclasses.replace(of.points, columns=columns))
    lazy, dense = kernels.corrected(doubled, 0), kernels.corrected(densified(doubled), 0)
    for state in (lazy, dense):
        state.saga(plan(40, 500, eta=0.1))
    assert relative_difference(lazy.weights, dense.weights) < 1e-12


@pytest.mark.parametrize("layout", LAYOUTS)
def test_G_stays_the_sum_of_the_stored_gradients(layout: str) -> None:
    of = stream(layout, [30])
    state, start = kernels.corrected(of, 0), kernels.corrected(of, 0).weights
    table = oracle.Table(of, start)
    steps = plan(30, 400, eta=0.05)
    state.saga(steps)
    for j, m, eta in zip(*steps, strict=True):
        table.step(j, m, eta)
    np.testing.assert_allclose(state.G, table.rows.sum(axis=0), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(state.weights, table.w, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_are_a_copy(layout: str) -> None:
    for make in (kernels.plain, kernels.corrected):
        state = make(stream(layout, [5]), 0)
        before = state.weights
        state.weights[:] = 7.0
        assert np.array_equal(state.weights, before)


def test_steps_are_the_same_in_one_call_or_many() -> None:
    of = stream("sparse", [50], d=30)
    whole, parts = kernels.corrected(of, 0), kernels.corrected(of, 0)
    steps = plan(50, 300, eta=0.1)
    whole.saga(steps)
    for part in np.array_split(np.arange(300), 13):
        parts.saga(Plan(*(array[part] for array in steps)))
    np.testing.assert_array_equal(whole.weights, parts.weights)


@pytest.mark.parametrize("mu", [0.1, 40.0])
def test_factors_follow_whole_gradients_for_many_steps(mu: float) -> None:
    of = stream("pairs", [30], mu=mu)
    corrected, plain = kernels.corrected(of, 0), kernels.plain(of, 0)
    table, w = oracle.Table(of, corrected.weights), plain.weights
    steps = plan(30, 3000, eta=0.02)
    corrected.saga(steps)
    plain.sgd(steps.order, steps.rates)
    for j, m, eta in zip(*steps, strict=True):
        table.step(j, m, eta)
        w = w - eta * (oracle.gradient(of, w, j) + mu * w)
    np.testing.assert_allclose(corrected.weights, table.w, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(plain.weights, w, rtol=1e-10, atol=1e-12)


def test_a_factorizations_scale_is_written_out_before_its_square_underflows() -> None:
    of = stream("pairs", [30], mu=0.1)
    fresh, late = (FactorModel(of, of.points, 0) for _ in range(2))  # type: ignore[arg-type]
    late.v, late.scale = late.v / 1e-200, 1e-200
    for model in (fresh, late):
        model.sgd(plan(30, 500, eta=0.05).order, np.full(500, 0.05))
    np.testing.assert_allclose(late.weights, fresh.weights, rtol=1e-11)
