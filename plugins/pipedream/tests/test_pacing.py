"""The pace of a pipeline with time on its links, against the longest path through its schedule."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from orders import simulate

from harness_pipedream.planning.costs import Cost
from harness_pipedream.planning.levels import Level
from harness_pipedream.planning.memory import MemoryLimit
from harness_pipedream.planning.pacing import hiding_depth, paced, recut
from harness_pipedream.planning.plan import Plan, Stage
from harness_pipedream.planning.predict import Prediction, predict
from harness_pipedream.planning.schedule import Schedule, one_forward_one_backward, warmups
from harness_pipedream.profiling.profile import Layer, Profile

RATE = 1e6
FIRST, LAST, UNITS = 24, 144, 168  # 120 minibatches apart, a multiple of the replicas drawn

replicas_drawn = st.lists(st.integers(1, 4), min_size=1, max_size=4)


def profile_of(stages: int, seed: int) -> Profile:
    """A layer a stage, each of up to some seconds, and boundaries of up to one each way."""
    draw = random.Random(seed)
    return Profile.chain(
        tuple(
            Layer(str(i), draw.random(), 2 * draw.random(), int(draw.random() * RATE), 0, draw.random() / 2)
            for i in range(stages)
        )
    )


def prediction_of(replicas: list[int], profile: Profile) -> Prediction:
    plan = Plan(tuple(Stage((i,), count) for i, count in enumerate(replicas)))
    return predict(plan, profile, (Level(sum(replicas), RATE),), Cost())


def held_up_by_a_link(prediction: Prediction) -> bool:
    """Whether a link carries less than stages compute; below, links take time and carry any number at once."""
    return prediction.seconds > max(stage.compute_seconds for stage in prediction.stages)


def slack(schedule: Schedule) -> float:
    """By how much what piled up in the pipeline while it filled can change the pace that is seen."""
    held = sum((ahead + 1) * count for ahead, count in zip(schedule.warmups, schedule.replicas, strict=True))
    return held / (LAST - FIRST)


def seconds_per_minibatch(schedule: Schedule, profile: Profile) -> float:
    """Run all operations as early as their rank, their input and their peers allow."""
    free = dict.fromkeys(range(schedule.workers), 0.0)
    arrives: dict[tuple[str, int, int], float] = {}
    updated: dict[tuple[int, int], float] = {}
    begun: dict[int, float] = {}
    for rank, op in simulate(schedule, UNITS):
        stage, _ = schedule.place(rank)
        layer = profile.layers[stage]
        if op.kind == "update":
            together = updated.setdefault((stage, op.version), max(free[r] for r in schedule.ranks(stage)))
            free[rank] = together + layer.update_seconds
            continue
        forward = op.kind == "forward"
        start = max(free[rank], arrives.get((op.kind, stage, op.unit), 0.0))
        free[rank] = start + (layer.forward_seconds if forward else layer.backward_seconds)
        beside = stage + (1 if forward else -1)
        boundary = profile.layers[min(stage, beside)].activation_bytes / RATE
        arrives[op.kind, beside, op.unit] = free[rank] + boundary
        if stage == schedule.last:
            arrives["backward", stage, op.unit] = free[rank]
            begun[op.unit] = start
    return (begun[LAST] - begun[FIRST]) / (LAST - FIRST)


@settings(max_examples=30)
@given(replicas_drawn, st.none() | st.integers(1, 8), st.integers(0, 1000))
def test_no_schedule_is_faster(replicas: list[int], depth: int | None, seed: int) -> None:
    profile = profile_of(len(replicas), seed)
    prediction = prediction_of(replicas, profile)
    assume(not held_up_by_a_link(prediction))
    schedule = one_forward_one_backward(replicas, depth=depth)
    assert seconds_per_minibatch(schedule, profile) >= paced(prediction, depth) * (1 - slack(schedule))


@settings(max_examples=30)
@given(st.integers(1, 8), st.integers(0, 1000))
def test_two_stages_run_at_just_this_pace(depth: int, seed: int) -> None:
    profile = profile_of(2, seed)
    prediction = prediction_of([1, 1], profile)
    assume(not held_up_by_a_link(prediction))
    schedule = one_forward_one_backward([1, 1], depth=depth)
    assert seconds_per_minibatch(schedule, profile) == pytest.approx(paced(prediction, depth), rel=slack(schedule))


@given(replicas_drawn, st.integers(0, 1000))
def test_one_less_in_flight_than_hides_the_links_is_slower_or_noam(replicas: list[int], seed: int) -> None:
    prediction = prediction_of(replicas, profile_of(len(replicas), seed))
    depth, noam = hiding_depth(prediction), prediction.plan.noam
    assert depth == noam or paced(prediction, depth - 1) > paced(prediction, depth)
    assert paced(prediction, depth) <= min(paced(prediction, more) for more in range(noam, depth + 20)) * (1 + 1e-6)


def test_a_round_trip_is_shared_by_those_in_flight() -> None:
    # Stages of 3 + 1 and 3 ms, a boundary of 2 ms each way: 3 + 2 + 3 + 2 + 1 ms until the update at the first stage.
    layers = (Layer("first", 0.001, 0.002, 2000, 0, 0.001), Layer("second", 0.001, 0.002, 8, 0))
    found = prediction_of([1, 1], Profile.chain(layers))
    assert found.seconds == pytest.approx(0.004)
    assert [paced(found, depth) for depth in (1, 2, 3)] == pytest.approx([0.011, 0.0055, 0.004])
    assert hiding_depth(found) == 3
    assert warmups([1, 1], 3) == (2, 0)


def test_free_links_are_hidden_by_noam() -> None:
    layers = (Layer("first", 0.001, 0.002, 2000, 0), Layer("second", 0.001, 0.002, 8, 0))
    plan = Plan((Stage((0,)), Stage((1,))))
    free = predict(plan, Profile.chain(layers), (Level(2, RATE),), Cost(transfers=False))
    assert hiding_depth(free) == 2


def chain_of(layers: int, seed: int) -> Profile:
    """Layers with parameters, too, so that memory differs between plans."""
    draw = random.Random(seed)
    return Profile.chain(
        tuple(
            Layer(str(i), draw.random(), draw.random(), int(draw.random() * RATE), int(draw.random() * RATE), 0.0)
            for i in range(layers)
        )
    )


def straight(ends: Sequence[int]) -> Plan:
    return Plan(tuple(Stage(tuple(range(a, b))) for a, b in pairwise([0, *ends])))


@given(st.integers(2, 12), st.integers(0, 10_000), st.data())
def test_two_stages_are_cut_where_they_pace_best(layers: int, seed: int, data: st.DataObject) -> None:
    profile, levels = chain_of(layers, seed), (Level(2, RATE),)
    given_cut = data.draw(st.integers(1, layers - 1))
    found = recut(straight([given_cut, layers]), profile, levels, Cost())
    every = [paced(predict(straight([cut, layers]), profile, levels, Cost())) for cut in range(1, layers)]
    assert paced(predict(found, profile, levels, Cost())) == pytest.approx(min(every))


@given(st.integers(4, 10), st.integers(0, 10_000))
def test_moved_cuts_never_slow_a_plan_nor_change_its_replicas(layers: int, seed: int) -> None:
    profile, levels = chain_of(layers, seed), (Level(4, RATE),)
    plan = Plan((Stage((0, 1), 2), Stage((2,)), Stage(tuple(range(3, layers)))))
    found = recut(plan, profile, levels, Cost())
    found.check(layers, 4)
    assert [stage.replicas for stage in found.stages] == [2, 1, 1]
    before, after = (paced(predict(each, profile, levels, Cost())) for each in (plan, found))
    assert after <= before


def test_moved_cuts_stay_within_the_memory_limit() -> None:
    profile, levels = chain_of(8, 5), (Level(2, RATE),)
    every = [straight([cut, 8]) for cut in range(1, 8)]
    needs = {str(plan.stages): predict(plan, profile, levels, Cost()).memory_bytes for plan in every}
    free = recut(every[0], profile, levels, Cost())
    least = min(every, key=lambda plan: needs[str(plan.stages)])
    limit = MemoryLimit(needs[str(least.stages)])
    assert needs[str(free.stages)] > limit.bytes
    assert recut(least, profile, levels, Cost(), memory=limit).stages == least.stages
