from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from pipelines import job_of, read
from pydantic import ValidationError

from harness import Budget, Trace, TraceWriter
from harness.tracefile import merge
from harness_pipedream.metrics import (
    METRICS,
    PlanCommunication,
    PlannerTime,
    PlanStages,
    PredictedSeconds,
    PredictedSpeedup,
    SimulatedSeconds,
)
from harness_pipedream.parallelizers import Pipedream
from harness_pipedream.plan_only import PlanOnly
from harness_pipedream.planning.explain import explain
from harness_pipedream.planning.levels import Level
from harness_pipedream.planning.plan import Plan, Stage
from harness_pipedream.profiling.profile import Layer, Profile
from harness_pipedream.profiling.published import PublishedProfile, published

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


def minibatches(folder: Path, ends: Sequence[float], *, numerics: bool) -> Trace:
    """The trace of minibatches, of two microbatches each, that end when told."""
    now = iter([0.0, *sorted([*ends, *(end - 0.25 for end in ends)])])
    writer = TraceWriter(folder, clock=lambda: next(now))
    writer.fact("simulated", {"numerics": numerics})
    for step in range(len(ends)):
        writer.count("samples", 4, step=step)
        writer.count("samples", 4, step=step)
    writer.close()
    return Trace.read(merge(folder))


@pytest.mark.parametrize("together", [1, 4, 5])
def test_simulated_seconds_are_the_pace_between_filling_and_draining(tmp_path: Path, together: int) -> None:
    filling = [3.0 * i for i in range(10)]
    full = [100 + 2.0 * together * (i // together) + i % together for i in range(60)]
    draining = [1000 + 5.0 * i for i in range(10)]
    trace = minibatches(tmp_path, [*filling, *full, *draining], numerics=False)
    assert SimulatedSeconds().measure(trace) == pytest.approx(2.0)


@pytest.mark.parametrize("workers", [2, 4])
def test_data_parallelism_on_one_level_takes_computation_and_then_a_ring(tmp_path: Path, workers: int) -> None:
    links = pytest.importorskip("harness_links.simulated", reason="the device 'simulated' is harness-links'")
    rate = 2000.0
    device = links.Simulated(levels=[{"workers": workers, "bandwidth": rate}], numerics=False)
    PROFILE.write(tmp_path / "profile.json")
    job = job_of(PublishedProfile(profile=str(tmp_path / "profile.json")), tmp_path, Budget(steps=40), device=device)
    Pipedream(workers=workers, plan="data-parallel").run(job)
    ring = 2 * (workers - 1) / workers * PROFILE.parameter_bytes / rate
    assert SimulatedSeconds().measure(read(job)) == pytest.approx((PROFILE.seconds + ring) / workers)


def test_real_computation_in_a_simulation_is_no_simulated_time(tmp_path: Path) -> None:
    assert SimulatedSeconds().measure(minibatches(tmp_path, list(range(80)), numerics=True)) is None


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
