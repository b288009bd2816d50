"""Pipelines on threads: their numbers against a reference, their traces against the schedule's promises."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from itertools import chain
from pathlib import Path

import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import Chain, cut, losses, pipeline, serial

from harness import Budget, Trace
from harness_pipedream.planning.schedule import Schedule, fill_and_drain, noam, one_forward_one_backward

WORKLOAD = Chain()
replicas_drawn = st.lists(st.integers(1, 3), min_size=1, max_size=4)


def expected(schedule: Schedule, minibatches: int, workload: Chain = WORKLOAD, **options: object) -> list[float]:
    """The reference's test loss after each minibatch of the first epoch."""
    import numpy as np

    rng = np.random.default_rng(np.random.SeedSequence(1, spawn_key=(0,)))
    batches = list(workload.batches(rng))[:minibatches]
    names = [
        [f"{layer}.0.{what}" for layer in layers for what in ("weight", "bias")]
        for layers in cut(len(schedule.replicas))
    ]
    weights = reference.train(workload, names, schedule.replicas, batches, seed=1, **options)  # type: ignore[arg-type]
    return [reference.held_out_loss(workload, w) for w in weights]


@settings(max_examples=15, deadline=None)
@given(replicas_drawn, st.integers(1, 12), st.sampled_from([None, 1, 2, 4, 6]), st.booleans(), st.booleans())
def test_every_step_is_the_delayed_update(
    replicas: list[int], minibatches: int, depth: int | None, vertical: bool, recompute: bool
) -> None:
    mode = "vertical_sync" if vertical else "weight_stashing"
    schedule = one_forward_one_backward(replicas, depth=depth, versions=mode)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        trace = pipeline(WORKLOAD, schedule, Path(folder), Budget(steps=minibatches), recompute=recompute)
    found = losses(trace)
    wanted = expected(schedule, minibatches, vertical=vertical, warm=schedule.warmups if depth else ())
    assert sorted(found) == sorted({*range(schedule.period, minibatches, schedule.period), minibatches})
    for step, loss in found.items():
        assert loss == pytest.approx(wanted[step - 1], abs=1e-5)
    check(trace, schedule, minibatches, depth or noam(replicas))


def check(trace: Trace, schedule: Schedule, minibatches: int, depth: int) -> None:
    """Each forward has its backward on the same worker at the same version; at most NOAM are in flight."""
    versions = trace.values("version")
    seen = defaultdict(list)
    for worker, step, version in zip(versions.worker, versions.step, versions.value, strict=True):
        seen[int(worker), int(step)].append(version)
    assert all(len(pair) == 2 and len(set(pair)) == 1 for pair in seen.values())
    for stage, count in enumerate(schedule.replicas):
        handled = {rank: [s for w, s in seen if w == rank] for rank in schedule.ranks(stage)}
        assert sorted(chain(*handled.values())) == list(range(minibatches))
        assert all(s % count == schedule.ranks(stage).index(rank) for rank, steps in handled.items() for s in steps)
    for rank in range(schedule.workers):
        forward, backward = trace.spans("forward", worker=rank), trace.spans("backward", worker=rank)
        assert forward.step.tolist() == backward.step.tolist()
        events = sorted([(t, 1) for t in forward.start.tolist()] + [(t, -1) for t in backward.end.tolist()])
        flying = most = 0
        for _, change in events:
            flying += change
            most = max(most, flying)
        stage, _ = schedule.place(rank)
        assert most <= schedule.warmups[stage] + 1
        assert stage > 0 or most <= depth
    assert trace.total("samples") == minibatches * WORKLOAD.batch_size


@pytest.mark.parametrize("stages", [1, 3])
def test_one_stage_or_a_flush_after_each_minibatch_is_plain_sgd(stages: int, tmp_path: Path) -> None:
    budget = Budget(steps=15)
    alone = losses(serial(WORKLOAD, tmp_path / "serial", budget))
    schedule = one_forward_one_backward([1] * stages, flush=1 if stages > 1 else None, versions="vertical_sync")
    divided = losses(pipeline(WORKLOAD, schedule, tmp_path / "pipeline", budget))
    assert divided == pytest.approx(alone, abs=1e-6)
    assert len(alone) == 15


@pytest.mark.parametrize("microbatches", [1, 2, 4])
@pytest.mark.parametrize("alternating", [False, True])
@pytest.mark.parametrize("replicas", [[1, 1, 1], [2, 1]])
def test_microbatches_average_to_plain_sgd(
    microbatches: int, alternating: bool, replicas: list[int], tmp_path: Path
) -> None:
    budget = Budget(epochs=0.5)
    alone = losses(serial(WORKLOAD, tmp_path / "serial", budget))
    schedule = fill_and_drain(replicas, microbatches, alternating=alternating)
    trace = pipeline(WORKLOAD, schedule, tmp_path / "pipeline", budget)
    assert losses(trace) == pytest.approx(alone, abs=1e-6)
    assert len(trace.spans("forward")) == 6 * microbatches * len(replicas)


@pytest.mark.parametrize(("scaling", "factors"), [("linear", [2, 1, 2]), ("relative", [1, 0.5, 1])])
def test_step_sizes_scale_with_replicas(scaling: str, factors: list[float], tmp_path: Path) -> None:
    schedule = one_forward_one_backward([2, 1, 2])
    trace = pipeline(WORKLOAD, schedule, tmp_path, Budget(steps=8), scaling=scaling)
    wanted = expected(schedule, 8, factors=factors)
    assert losses(trace) == pytest.approx({step: wanted[step - 1] for step in (2, 4, 6, 8)}, abs=1e-5)


@pytest.mark.parametrize("replicas", [[1, 1], [2, 1]])
def test_step_sizes_fall_at_the_same_minibatch_in_every_stage(replicas: list[int], tmp_path: Path) -> None:
    schedule, workload = one_forward_one_backward(replicas), Chain(rate_drops=(2, 6))
    wanted = expected(schedule, 8, workload)
    assert losses(pipeline(workload, schedule, tmp_path, Budget(steps=8)))[8] == pytest.approx(wanted[7], abs=1e-6)
    assert abs(wanted[7] - expected(schedule, 8)[7]) > 1e-4


def test_epochs_go_on_from_each_other_with_an_empty_pipeline_between(tmp_path: Path) -> None:
    trace = pipeline(WORKLOAD, one_forward_one_backward([1, 1]), tmp_path, Budget(epochs=2))
    first = trace.spans("forward", worker=0)
    assert first.step.tolist() == list(range(24))
    assert first.start[12] > trace.spans("backward", worker=0).end[11]
    versions = trace.values("version", worker=1)
    assert sorted(set(versions.value.tolist())) == list(range(24))


def test_a_target_ends_training_with_what_is_in_flight(tmp_path: Path) -> None:
    schedule = one_forward_one_backward([1, 1, 1])
    start = losses(pipeline(WORKLOAD, schedule, tmp_path / "start", Budget(steps=9)))
    target = min(list(start.values())[:6])
    trace = pipeline(WORKLOAD, schedule, tmp_path / "run", Budget(target=f"loss <= {target!r}", steps=500))
    reached = [step for step, loss in losses(trace).items() if loss <= target]
    done = trace.spans("backward", worker=0).step.max() + 1
    assert reached[0] <= done <= reached[0] + 2
    assert trace.total("samples") == done * WORKLOAD.batch_size


@pytest.mark.parametrize("replicas", [[1, 1], [1, 2, 1], [3]])
@pytest.mark.parametrize("microbatches", [None, 2])
def test_a_budget_of_seconds_ends_training_at_the_same_minibatch_everywhere(
    replicas: list[int], microbatches: int | None, tmp_path: Path
) -> None:
    schedule = fill_and_drain(replicas, microbatches) if microbatches else one_forward_one_backward(replicas)
    trace = pipeline(Chain(evaluations=0.5), schedule, tmp_path, Budget(seconds=0.3))
    for name in ("forward", "backward"):
        steps = trace.spans(name).step
        assert [steps.tolist().count(step) for step in range(steps.max() + 1)] == [
            len(replicas) * (microbatches or 1)
        ] * (steps.max() + 1)


def test_the_naive_pipeline_uses_other_weights_backwards_than_forwards(tmp_path: Path) -> None:
    schedule = one_forward_one_backward([1] * 4, versions="naive")
    trace = pipeline(WORKLOAD, schedule, tmp_path, Budget(steps=10))
    versions = trace.values("version", worker=0)
    pairs = [versions.value[versions.step == step].tolist() for step in range(10)]
    assert pairs == [[max(0, step - 3), step] for step in range(10)]
