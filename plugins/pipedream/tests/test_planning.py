from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from harness import Trace, TraceWriter
from harness.tracefile import merge
from harness_pipedream.explain import explain
from harness_pipedream.levels import Level
from harness_pipedream.metrics import (
    METRICS,
    PlanCommunication,
    PlannerTime,
    PlanStages,
    PredictedSeconds,
    PredictedSpeedup,
)
from harness_pipedream.plan import Plan, Stage
from harness_pipedream.planning import PlanOnly
from harness_pipedream.profile import Layer, Profile
from harness_pipedream.published import PublishedProfile, published

PROFILE = Profile.chain((Layer("a", 1, 2, 10, 1000), Layer("b", 1, 0, 10, 9000)))


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    writer = TraceWriter(tmp_path)
    writer.add_span("plan", 10.0, 10.5)
    writer.fact("plan", explain(Plan((Stage((0,)), Stage((1,)))), PROFILE, (Level(2, 1000.0),)).to_json())
    writer.close()
    return Trace.read(merge(tmp_path))


def test_metrics_read_the_plan_and_its_seconds(trace: Trace) -> None:
    assert PlannerTime().measure(trace) == pytest.approx(0.5)
    assert PredictedSeconds().measure(trace) == pytest.approx(3)
    assert PredictedSpeedup().measure(trace) == pytest.approx((10000 / 1000 / 2) / 3)
    assert PlanStages().measure(trace) == 2
    assert PlanCommunication().measure(trace) == 20


def test_an_empty_trace_measures_nothing(tmp_path: Path) -> None:
    empty = Trace.read(merge(tmp_path))
    assert [metric().measure(empty) for metric in METRICS] == [None] * len(METRICS)


def test_parameters_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValidationError, match="a link's rate must be positive"):
        PlanOnly(levels="4 x 0 GB/s")
    with pytest.raises(ValidationError, match="give a file, or one of alexnet"):
        PublishedProfile(profile="vgg17")


@pytest.mark.parametrize("name", published())
def test_a_published_profile_is_a_workload_without_a_model(name: str) -> None:
    workload = PublishedProfile(profile=name)
    workload.prepare()
    assert workload.graph.seconds > 0
    assert workload.batch_size >= 1
    assert PublishedProfile(profile=name, samples=7).batch_size == 7
