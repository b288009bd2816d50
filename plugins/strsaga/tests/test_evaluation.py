"""Which time steps are evaluated, and what is recorded there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import stream

from harness import TraceWriter
from harness_strsaga.evaluation import Evaluator
from harness_strsaga.minimiser import minima
from harness_strsaga.objective import Objective
from harness_strsaga.sampling import dimension
from harness_strsaga.stream import Stream


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))


def judged(layout: str) -> Stream:
    """A stream that holds out 20 points of its own kind."""
    of, other = stream(layout, [0, 10, 0, 30]), stream(layout, [20], seed=1)
    return dataclasses.replace(of, held_out=other.points, held_out_targets=other.targets)


@given(st.integers(1, 200), st.integers(1, 300))
def test_evaluated_steps_are_evenly_spread_and_end_with_the_last(steps: int, evaluations: int) -> None:
    found = Evaluator(stream("dense", [1] * steps), evaluations).steps
    assert len(found) == min(steps, evaluations)
    assert found[-1] == steps - 1
    gaps = np.diff([-1, *found])
    assert gaps.max() - gaps.min() <= 1


def test_steps_before_the_first_point_are_not_evaluated() -> None:
    assert Evaluator(judged("dense"), 4).steps == (1, 2, 3)


@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_a_convex_models_risk_objective_and_suboptimality_are_recorded(layout: str) -> None:
    of, trace = judged(layout), TraceWriter()
    judge = Evaluator(of, 4)
    judge.record(trace, np.ones(7), 1)
    value = Objective.over(of, 10).value(np.ones(7))
    assert trace.latest["risk"] == Objective(of.held_out, of.held_out_targets, of.loss).mean_loss(np.ones(7))
    assert trace.latest["objective"] == value
    assert trace.latest["suboptimality"] == value - judge.minima[1] == judge.distance(np.ones(7), 1) > 0


def test_a_factorization_has_no_suboptimality() -> None:
    of, trace = judged("pairs"), TraceWriter()
    judge, weights = Evaluator(of, 4), np.ones(dimension(judged("pairs")))
    judge.prepare()
    judge.record(trace, weights, 3)
    assert set(trace.latest) == {"risk", "objective"}
    assert judge.distance(weights, 3) == trace.latest["objective"]


def test_points_that_have_not_arrived_change_nothing() -> None:
    of = judged("dense")
    blind = dataclasses.replace(of, targets=np.where(np.arange(40) < 10, of.targets, np.nan))
    assert Objective.over(blind, 10).value(np.ones(7)) == Objective.over(of, 10).value(np.ones(7))
    assert minima(blind, [10])["values"] == minima(of, [10])["values"]
