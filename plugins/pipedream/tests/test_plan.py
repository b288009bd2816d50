from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import HarnessError
from harness_pipedream.planning.plan import Group, Plan, Stage

SCHEDULES = json.loads((Path(__file__).parent / "cases" / "schedules.json").read_text())["cases"]


def straight(*replicas: int) -> Plan:
    return Plan(tuple(Stage((index,), count) for index, count in enumerate(replicas)))


@pytest.mark.parametrize("case", SCHEDULES, ids=lambda case: case["config"])
def test_minibatches_in_flight_are_those_of_the_schedule(case: dict[str, object]) -> None:
    stages: list[dict[str, int]] = case["stages"]  # type: ignore[assignment]
    plan = straight(*(stage["replicas"] for stage in stages))
    assert plan.noam == case["noam"]
    assert plan.in_flight == tuple(stage["warmup_forwards"] + 1 for stage in stages)
    assert str(plan) == case["config"]


def test_ranks_are_handed_out_stage_by_stage_on_one_level() -> None:
    assert straight(3, 1).ranks == ((0, 1, 2), (3,))


def test_ranks_of_stages_that_share_servers_lie_on_each_of_them() -> None:
    plan = Plan((Stage((0,), 6), Stage((1,), 2), Stage((2,), 4)), ((Group(2, 2), Group(1, 1)),))
    assert plan.replicas_by_level == ((3, 2), (1, 2), (4, 1))
    assert plan.ranks == ((0, 1, 2, 4, 5, 6), (3, 7), (8, 9, 10, 11))


def test_groups_nest_on_three_levels() -> None:
    plan = Plan((Stage((0,), 4), Stage((1,), 4)), ((Group(1, 1), Group(1, 1)), (Group(2, 2),)))
    assert plan.replicas_by_level == ((2, 1, 2), (2, 1, 2))
    assert plan.ranks == ((0, 1, 4, 5), (2, 3, 6, 7))


@given(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=3), min_size=1, max_size=3), st.data())
def test_every_rank_is_used_once(groups: list[list[int]], data: st.DataObject) -> None:
    stages, above = [], []
    for inner in groups:
        copies = data.draw(st.integers(1, 3))
        above.append(Group(len(inner), copies))
        stages += [count * copies for count in inner]
    plan = Plan(straight(*stages).stages, (tuple(above),))
    plan.check(len(stages), sum(stages))
    assert sorted(rank for ranks in plan.ranks for rank in ranks) == list(range(plan.workers))
    assert [len(ranks) for ranks in plan.ranks] == stages


def test_what_is_written_reads_the_same() -> None:
    plan = Plan((Stage((0, 2), 4), Stage((1,), 2)), ((Group(2, 2),),), 0.25)
    assert Plan.parse(json.dumps(plan.to_json())) == plan
    assert Plan.from_json({"stages": [{"layers": [0]}]}) == straight(1)


@pytest.mark.parametrize(
    ("plan", "kind"),
    [
        (straight(1), "one worker"),
        (straight(4), "data parallel"),
        (straight(1, 1), "straight pipeline"),
        (straight(15, 1), "replicated pipeline"),
    ],
)
def test_plans_are_called_what_they_are(plan: Plan, kind: str) -> None:
    assert plan.kind == kind


@pytest.mark.parametrize(
    ("plan", "layers", "workers", "message"),
    [
        (straight(1, 1), 3, 2, "plan 1-1 leaves out layer 2"),
        (straight(1, 1), 1, 2, "plan 1-1 has 2 stages for 1 layers"),
        (straight(1, 1), 2, 1, "plan 1-1 has 2 stages for 1 workers"),
        (straight(2, 1), 2, 4, "plan 2-1 is for 3 workers, not 4"),
        (Plan((Stage((0, 1)), Stage((1,)))), 2, 2, "plan 1-1 repeats layer 1"),
        (Plan((Stage((0, 5)), Stage((1,)))), 2, 2, "plan 1-1 names, of a model with 2 layers, layer 5"),
        (Plan((Stage(()), Stage((0, 1)))), 2, 2, "stage 0 of plan 1-1 needs at least one layer and one replica"),
        (straight(0, 2), 2, 2, "stage 0 of plan 0-2 needs at least one layer and one replica"),
        (Plan(()), 2, 2, "at least one stage"),
        (
            Plan(straight(1, 1).stages, ((Group(1, 1),),)),
            2,
            2,
            "groups of level 2 must take up the plan's 2 stages",
        ),
        (Plan(straight(3).stages, ((Group(1, 2),),)), 1, 3, "3 replicas cannot lie on 2 machines alike"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(plan: Plan, layers: int, workers: int, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        plan.check(layers, workers)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stages": 3}', '{"stages": [{"layers": ["x"]}]}'])
def test_what_is_no_plan_is_refused_naming_the_file(text: str) -> None:
    with pytest.raises(HarnessError, match=r"^plan\.json: no "):
        Plan.parse(text, where="plan.json")
