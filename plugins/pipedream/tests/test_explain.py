from __future__ import annotations

import json

import pytest

from harness import HarnessError
from harness_pipedream.planning.explain import explain, why
from harness_pipedream.planning.levels import Level, parse_levels
from harness_pipedream.planning.plan import Group, Plan, Stage
from harness_pipedream.planning.planner import plan
from harness_pipedream.profiling.profile import Layer, Profile
from harness_pipedream.profiling.published import read_profile

# Three layers of 30, 10 and 5 ms; boundaries of 1000 and 200 bytes; parameters 100, 100 and 4000 bytes.
CHAIN = Profile.chain(
    (
        Layer("first", 0.010, 0.020, 1000, 100),
        Layer("second", 0.005, 0.005, 200, 100),
        Layer("third", 0.001, 0.004, 40, 4000),
    )
)
GIVEN = Plan((Stage((0, 1), 3), Stage((2,), 1)))
LEVELS = (Level(4, 1e5),)


def test_every_figure_of_a_small_plan_is_as_worked_out_by_hand() -> None:
    found = explain(GIVEN, CHAIN, LEVELS, optimizer_copies=1)
    first, second = found.prediction.stages
    assert first.compute_seconds == pytest.approx(0.040 / 3)
    assert first.sync_seconds == pytest.approx(2 * 2 / 3 * 200 / 1e5 / 3)
    assert first.input_seconds == 0
    assert first.seconds == pytest.approx(0.040 / 3)
    assert second.compute_seconds == pytest.approx(0.005)
    assert second.input_seconds == pytest.approx(2 * 200 / 1e5)
    assert second.sync_seconds == 0
    assert (first.in_flight, second.in_flight) == (2, 1)
    assert first.memory_bytes == 2 * (200 + 1200) + 2 * 200
    assert second.memory_bytes == 1 * (4000 + 40 + 200) + 2 * 4000
    assert found.prediction.seconds == pytest.approx(0.040 / 3)
    assert found.prediction.bottleneck == 0
    assert why(first) == "compute"
    assert found.data_parallel.seconds == pytest.approx(2 * 3 / 4 * 4200 / 1e5 / 4)
    assert found.speedup == pytest.approx(2 * 3 / 4 * 4200 / 1e5 / 4 / (0.040 / 3))
    assert found.speedup_over_one == pytest.approx(0.045 / (0.040 / 3))
    assert found.prediction.communication_bytes == pytest.approx(2 * 2 / 3 * 200 + 2 * 200)
    assert found.data_parallel.communication_bytes == pytest.approx(2 * 3 / 4 * 4200)
    assert found.communication_saved == pytest.approx(1 - (2 * 2 / 3 * 200 + 400) / (2 * 3 / 4 * 4200))


def test_a_slow_boundary_or_all_reduce_is_named_as_what_holds_a_stage_up() -> None:
    slow = explain(GIVEN, CHAIN, (Level(4, 1e3),)).prediction
    assert why(slow.stages[1]) == "input"
    together = explain(Plan((Stage((0, 1, 2), 4),)), CHAIN, (Level(4, 1e3),)).prediction
    assert why(together.stages[0]) == "all-reduce"


def test_one_worker_communicates_nothing() -> None:
    found = explain(Plan((Stage((0, 1, 2)),)), CHAIN, (Level(1, 1.0),))
    assert found.speedup == 1
    assert found.communication_saved is None


def test_a_tensor_that_skips_a_stage_travels_through_it() -> None:
    layers = tuple(Layer(str(i), 1.0, 1.0, 10**i, 0) for i in range(3))
    graph = Profile(layers, ((0, 1), (0, 2), (1, 2)))
    straight = Plan((Stage((0,)), Stage((1,)), Stage((2,))))
    assert [s.input_bytes for s in explain(straight, graph, (Level(3, 1.0),)).prediction.stages] == [0, 1, 11]


def test_vgg16_on_the_first_cluster_is_the_papers_15_1() -> None:
    profile, levels = read_profile("vgg16"), parse_levels("4 x 12 GB/s, 4 x 10 Gbit/s")
    found = explain(plan(profile, levels), profile, levels)
    assert str(found.prediction.plan) == "15-1"
    assert found.prediction.plan.noam == 2
    assert found.speedup == pytest.approx(1.1749378156208248)


def test_the_json_holds_the_plan_and_adds_up() -> None:
    profile, levels = read_profile("vgg16"), parse_levels("4 x 12 GB/s, 4 x 10 Gbit/s")
    best = plan(profile, levels)
    found = json.loads(json.dumps(explain(best, profile, levels).to_json()))
    assert Plan.from_json(found["plan"]) == best
    assert found["seconds"] == max(stage["seconds"] for stage in found["stages"])
    assert sorted(rank for stage in found["stages"] for rank in stage["ranks"]) == list(range(16))


def test_a_plan_against_the_graphs_order_is_refused() -> None:
    backwards = Plan((Stage((1, 2)), Stage((0,))))
    with pytest.raises(HarnessError, match=r"stage 0 of plan 1-1 needs layer 0 \(first\), of stage 1"):
        explain(backwards, CHAIN, (Level(2, 1e5),))


def test_a_plan_for_other_levels_is_refused() -> None:
    two = Plan((Stage((0, 1, 2), 4),), ((Group(1, 2),),))
    with pytest.raises(HarnessError, match="the plan is for 2 levels, not 1"):
        explain(two, CHAIN, LEVELS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("4", "no level: '4'; write WORKERS x RATE"),
        ("four x 1 GB/s", "no level: 'four x 1 GB/s'"),
        ("4 x 1 parsec", "unknown unit 'parsec'"),
        ("4 x 0 GB/s", "a link's rate must be positive, not 0"),
        ("0 x 1 GB/s", "at least one worker"),
    ],
)
def test_levels_that_are_none_are_refused(text: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        parse_levels(text)


def test_levels_are_read_lowest_first() -> None:
    assert parse_levels("4 x 12 GB/s, 2 x 10 Gbit/s") == (Level(4, 12e9), Level(2, 1.25e9))
