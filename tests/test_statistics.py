"""Estimates against scipy's bootstrap, closed forms, and planted truths."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics import bootstrap, estimate, median, paired_ratio

INF = math.inf


@pytest.mark.parametrize("count", [6, 8, 9, 12, 20, 40])
@pytest.mark.parametrize("ratio", [False, True])
def test_the_interval_is_the_percentile_bootstrap_of_scipy(count: int, ratio: bool) -> None:
    samples = np.random.default_rng(count).lognormal(0.1, 0.3, count)
    found = estimate(samples.tolist(), ratio=ratio)
    scale, back = (np.log, np.exp) if ratio else (np.positive, np.positive)
    oracle = scipy.stats.bootstrap(
        (scale(samples),), np.median, method="percentile", n_resamples=20_000, rng=np.random.default_rng(1)
    ).confidence_interval
    low, high = back(oracle.low), back(oracle.high)
    tolerance = 0.06 * (high - low)
    assert found.value == pytest.approx(back(np.median(scale(samples))), rel=1e-12)
    assert (found.low, found.high) == pytest.approx((low, high), abs=tolerance)
    assert found.count == count


def ends_of_odd(count: int) -> tuple[int, int]:
    """Which order statistics end the interval: a resample's median is at most x(k) with a binomial chance."""
    below = [scipy.stats.binom.sf(count // 2, count, k / count) for k in range(count + 1)]
    low = next(k for k, chance in enumerate(below) if chance >= 0.025)
    return low, count + 1 - low


@pytest.mark.parametrize("count", [5, 7, 9, 11, 13, 17, 19])
def test_an_odd_count_ends_at_the_order_statistics_of_the_closed_form(count: int) -> None:
    found = estimate(range(1, count + 1), ratio=False)
    assert (found.low, found.high) == ends_of_odd(count)


@pytest.mark.parametrize("count, percent", [(7, 12.5), (9, 3.9), (11, 6.5), (13, 9.2), (17, 4.9), (19, 6.4)])
def test_an_odd_count_misses_the_true_median_as_often_as_documented(count: int, percent: float) -> None:
    found = estimate(range(1, count + 1), ratio=False)
    missed = 2 * scipy.stats.binom.cdf(found.low - 1, count, 0.5)
    assert 100 * missed == pytest.approx(percent, abs=0.05)


@pytest.mark.parametrize("count", [6, 8, 10, 20])
def test_an_even_count_misses_the_true_median_seldom(count: int) -> None:
    rng = np.random.default_rng(count)
    found = [estimate(rng.standard_t(3, count).tolist(), ratio=False, resamples=1_999) for _ in range(500)]
    missed = sum(not e.low <= 0 <= e.high for e in found)
    assert missed <= 50  # 10 in 100, where 6 to 7 are expected


positive = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=15)


@settings(max_examples=50, deadline=None)
@given(positive)
def test_the_interval_encloses_the_value_and_lies_within_the_samples(samples: list[float]) -> None:
    for ratio in (False, True):
        found = estimate(samples, ratio=ratio)
        slack = 1e-12 * found.high
        assert min(samples) - slack <= found.low <= found.value + slack
        assert found.value - slack <= found.high <= max(samples) + slack


@settings(max_examples=50, deadline=None)
@given(positive)
def test_the_ratio_turned_round_has_the_interval_turned_round(samples: list[float]) -> None:
    found, turned = estimate(samples, ratio=True), estimate([1 / x for x in samples], ratio=True)
    assert (turned.value, turned.low, turned.high) == pytest.approx((1 / found.value, 1 / found.high, 1 / found.low))


@given(st.floats(1e-300, 1e300), st.integers(1, 12))
def test_equal_samples_come_back_exactly(value: float, count: int) -> None:
    found = estimate([value] * count, ratio=True, resamples=99)
    assert (found.value, found.low, found.high) == (value, value, value)


def test_it_is_the_same_each_time() -> None:
    samples = np.random.default_rng(0).normal(size=10).tolist()
    assert estimate(samples, ratio=False) == estimate(samples, ratio=False)
    assert bootstrap(samples, np.mean) == bootstrap(samples, np.mean)


def test_infinite_samples_pull_the_interval_without_bound() -> None:
    few, most = (
        estimate([1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, INF], ratio=True),
        estimate([1, 2, INF, INF, INF], ratio=True),
    )
    assert (few.value, few.high) == pytest.approx((math.sqrt(1.3 * 1.4), 1.6))
    assert (most.value, most.low, most.high) == (INF, 1, INF)
    assert estimate([-INF, -INF, -1], ratio=False).value == -INF


def test_opposite_infinities_have_no_middle() -> None:
    assert math.isnan(estimate([-INF, INF], ratio=False).low)
    assert math.isnan(median(np.array([[0.0, INF]]), ratio=True)[0])


def test_no_samples_have_no_estimate() -> None:
    with pytest.raises(ValueError, match="no samples"):
        estimate([], ratio=False)


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=6), min_size=1, max_size=5), st.integers(1, 6))
def test_the_median_of_rows_is_that_of_numpy(rows: list[list[float]], width: int) -> None:
    table = np.array(rows)[:, :width]
    assert median(table) == pytest.approx(np.median(table, axis=1))


def test_a_paired_ratio_divides_pair_by_pair() -> None:
    a, b = np.random.default_rng(3).lognormal(size=(2, 9))
    assert paired_ratio(a.tolist(), b.tolist()) == estimate((a / b).tolist(), ratio=True)
    assert paired_ratio([0.0, 0.0], [0.0, 0.0]).value == 1
    assert paired_ratio([2.0], [0.0]).value == INF
    with pytest.raises(ValueError, match="zip"):
        paired_ratio([1.0], [1.0, 2.0])


def test_any_statistic_of_units_is_bootstrapped_as_scipy_does() -> None:
    x = np.arange(24.0)
    y = x + np.random.default_rng(5).normal(scale=9, size=24)

    def correlation(units: list[tuple[float, float]]) -> float:
        return float(np.corrcoef(np.array(units).T)[0, 1])

    found = bootstrap(list(zip(x, y, strict=True)), correlation)
    oracle = scipy.stats.bootstrap(
        (x, y), lambda a, b: np.corrcoef(a, b)[0, 1], paired=True, vectorized=False, method="percentile",
        n_resamples=4_000, rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert found.value == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=0.03)


def test_draws_without_a_value_are_left_out() -> None:
    def spread(units: list[float]) -> float:
        return max(units) - min(units) if len(set(units)) > 1 else math.nan

    found = bootstrap([1.0, 2.0, 4.0], spread)
    assert (found.value, found.low, found.high) == (3, 1, 3)
    assert math.isnan(bootstrap([1.0], spread).low)
