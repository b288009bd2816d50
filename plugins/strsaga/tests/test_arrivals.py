"""Counts of arrivals: exact sums by property, distributions against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness import HarnessError
from harness_strsaga.arrivals import Pattern, bursts, constant, counts, own, poisson, skewed

PATTERNS: tuple[Pattern, ...] = ("constant", "poisson", "skewed", "bursts", "own")
totals = st.integers(0, 10_000)
lengths = st.integers(1, 300)


@given(st.sampled_from(PATTERNS), totals, lengths, st.integers(1, 400), st.integers(0, 2**32))
def test_every_pattern_gives_nonnegative_counts_that_sum_to_n(
    pattern: Pattern, n: int, steps: int, skew: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    times = np.sort(rng.exponential(1e9, n)) + 1.4e9
    found = counts(pattern, n, steps, skew=skew, rng=rng, times=times)
    assert found.dtype == np.int64
    assert found.shape == (steps,)
    assert found.min() >= 0
    assert found.sum() == n


@given(totals, lengths)
def test_constant_arrivals_differ_by_at_most_one(n: int, steps: int) -> None:
    assert set(constant(n, steps)) <= {n // steps, -(-n // steps)}


@given(totals, lengths, st.integers(1, 400))
def test_skewed_arrivals_come_at_every_mth_step_and_have_then_caught_up(n: int, steps: int, skew: int) -> None:
    lumps, steady = skewed(n, steps, skew), constant(n, steps)
    for step in range(steps):
        assert lumps[step] == (steady[step : step + skew].sum() if step % skew == 0 else 0)


def test_skewed_arrivals_that_divide_evenly_are_m_lambda_points() -> None:
    assert skewed(1000, 100, 20).tolist() == ([200] + [0] * 19) * 5


def test_poisson_counts_fit_the_poisson_law() -> None:
    rng = np.random.default_rng(1)
    seen = np.concatenate([poisson(20_000, 2000, rng) for _ in range(10)])
    bins = np.arange(3, 19)
    expected = len(seen) * np.diff(stats.poisson(10).cdf([-1, *bins, 10**6]))
    observed = np.histogram(seen, [0, *(bins + 1), 10**6])[0]
    # Given its sum a count has variance lambda (1 - 1 / steps): no different at this size.
    assert stats.chisquare(observed, expected).pvalue > 0.001


def test_bursts_are_over_dispersed_with_a_tail_of_the_stated_exponent() -> None:
    rng = np.random.default_rng(2)
    found = bursts(10_000_000, 20_000, rng).astype(float)
    relative = found / np.median(found) * 2 ** (1 / 1.5)  # a Pareto law's median is 2^(1/a) times its least value
    tail = relative[relative > 10]
    hill = 1 / np.log(tail / 10).mean()
    assert hill == pytest.approx(1.5, abs=0.25)
    assert found.var() > 20 * found.mean()


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60), st.integers(1, 20))
def test_own_arrivals_count_the_times_of_equally_wide_bins(moments: list[int], steps: int) -> None:
    times = np.sort(np.array(moments, float))
    first, last = times[0], times[-1]
    if first == last:
        assert own(times, steps).sum() == len(times)
        return
    expected = [0] * steps
    for t in moments:
        expected[min(int((t - int(first)) * steps // (int(last) - int(first))), steps - 1)] += 1
    edges = {first + (last - first) * k / steps for k in range(1, steps)}
    on_an_edge = sum(t in edges for t in moments)
    assert np.abs(own(times, steps) - expected).sum() <= 2 * on_an_edge


def test_own_arrivals_without_times_are_refused() -> None:
    with pytest.raises(HarnessError, match="no times"):
        counts("own", 5, 2, skew=1, rng=np.random.default_rng(0), times=None)
