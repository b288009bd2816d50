"""Metrics of streams, worked out by hand on small traces."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Censored, Trace, TraceWriter
from harness.tracefile import merge
from harness_strsaga import metrics

VALUES = [0.5, 0.02, 0.3, 0.01, 0.02]  # suboptimality after time steps 3, 7, 11, 15, 19


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    """20 arrivals of 10 points; advancing at step i takes i + 1 seconds for 50 gradients."""
    writer = TraceWriter(tmp_path)
    writer.fact("stream", {"dimension": 4, "arrived": [10 * (i + 1) for i in range(20)]})
    for i in range(20):
        writer.add_span("advance", 100.0 * i, 100.0 * i + i + 1, step=i, value=50)
        writer.count("gradients", 50, step=i)
        if i % 4 == 3:
            writer.value("risk", 1 + VALUES[i // 4], step=i)
            writer.value("objective", 2 + VALUES[i // 4], step=i)
            writer.value("suboptimality", VALUES[i // 4], step=i)
    writer.close()
    return Trace.read(merge(tmp_path))


@pytest.fixture
def empty(tmp_path: Path) -> Trace:
    return Trace.read(merge(tmp_path))


def test_quality_is_a_median_over_evaluated_steps_or_the_last_one(trace: Trace) -> None:
    assert metrics.Risk().measure(trace) == 1.02
    assert metrics.FinalRisk().measure(trace) == 1.02
    assert metrics.Objective().measure(trace) == 2.02
    assert metrics.Suboptimality().measure(trace) == 0.02
    assert metrics.FinalSuboptimality().measure(trace) == 0.02


def test_slack_is_dimension_over_points_arrived_at_each_step(trace: Trace) -> None:
    slack = [0.5 + 4 / 40, 0.02 + 4 / 80, 0.3 + 4 / 120, 0.01 + 4 / 160, 0.02 + 4 / 200]
    assert metrics.SlackSuboptimality().measure(trace) == pytest.approx(median(slack))


def test_gradients_and_their_cost_are_totals(trace: Trace) -> None:
    assert metrics.Gradients().measure(trace) == 1000
    assert metrics.SecondsPerGradient().measure(trace) == pytest.approx(210 / 1000)
    assert metrics.GradientsPerSecond().measure(trace) == pytest.approx(1000 / 210)


def test_growth_compares_the_last_two_of_twenty_arrivals_with_the_first_two(trace: Trace) -> None:
    assert metrics.StepCostGrowth().measure(trace) == pytest.approx((19 + 20) / (1 + 2))


def test_growth_is_unmoved_by_one_interrupted_arrival_and_by_those_without_gradients(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path)
    for i in range(60):
        seconds = {2: 50.0}.get(i, 1.0 if i < 30 else 3.0)
        writer.add_span("advance", 100.0 * i, 100.0 * i + seconds, step=i, value=0 if i % 2 else 10)
    writer.close()
    assert metrics.StepCostGrowth().measure(Trace.read(merge(tmp_path))) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("target", "steps"),
    [(0.02, 16), (0.3, 8), (0.5, 4), (0.4, 8), (0.019, None)],
    ids=["after a relapse", "at a tie", "from the first", "not at a lucky moment before", "never"],
)
def test_time_to_suboptimality_ends_where_the_target_is_met_for_good(
    trace: Trace, target: float, steps: int | None
) -> None:
    expected = Censored(210.0) if steps is None else pytest.approx(sum(range(1, steps + 1)))
    assert metrics.CpuToSuboptimality(target=target).measure(trace) == expected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.01, 1))
def test_time_to_suboptimality_agrees_with_trying_every_step(values: list[float], target: float) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        writer = TraceWriter(Path(folder))
        for i, value in enumerate(values):
            writer.add_span("advance", 10.0 * i, 10.0 * i + 2.0**i, step=i, value=1)
            writer.value("suboptimality", value, step=i)
        writer.close()
        found = metrics.CpuToSuboptimality(target=target).measure(Trace.read(merge(Path(folder))))
    good = [i for i in range(len(values)) if all(v <= target for v in values[i:])]
    assert found == (2.0 ** (good[0] + 1) - 1 if good else Censored(2.0 ** len(values) - 1))


def test_an_empty_trace_measures_nothing(empty: Trace) -> None:
    assert [metric().measure(empty) for metric in metrics.METRICS] == [None] * len(metrics.METRICS)


def test_a_stream_shorter_than_ten_arrivals_has_no_tenth(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path)
    for i in range(9):
        writer.add_span("advance", i, i + 0.5, step=i, value=10)
    writer.close()
    assert metrics.StepCostGrowth().measure(Trace.read(merge(tmp_path))) is None


def test_what_depends_on_the_clock_says_so() -> None:
    timed = {metric.name for metric in metrics.METRICS if metric.timed}
    assert timed == {"cpu_to_suboptimality", "gradients_per_second", "seconds_per_gradient", "step_cost_growth"}
    assert {metric.name for metric in metrics.METRICS if metric.exact} == {"gradients"}
