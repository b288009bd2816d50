from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bruteforce import best_on_two_levels, best_seconds, plan_seconds, random_profile, stage_memory

from harness import HarnessError
from harness_pipedream.planning.bottleneck import BottleneckSearch
from harness_pipedream.planning.costs import COSTS, cost_model
from harness_pipedream.planning.dynamic import DynamicProgram
from harness_pipedream.planning.levels import Level, flat
from harness_pipedream.planning.memory import MemoryLimit
from harness_pipedream.planning.plan import Plan
from harness_pipedream.planning.planner import data_parallel, plan
from harness_pipedream.planning.predict import predict
from harness_pipedream.planning.states import States
from harness_pipedream.profiling.profile import Layer, Profile
from harness_pipedream.profiling.published import read_profile

CASES = Path(__file__).parent / "cases"
PUBLISHED = json.loads((CASES / "planner_cases.json").read_text())["cases"]
SYNTHETIC = json.loads((CASES / "synthetic_bruteforce.json").read_text())["cases"]
CHECKED = [case for case in PUBLISHED if not case["check"].startswith("informational")]


@cache
def published_states(name: str) -> States:
    return States.of(read_profile(name))


def levels_of(case: dict[str, Any]) -> tuple[Level, ...]:
    return tuple(Level(level["workers"], level["bandwidth_Bps"]) for level in case["levels"])


def solve(case: dict[str, Any], cost: str) -> tuple[Plan, float]:
    """The plan, and its seconds worked out afresh."""
    options, levels = case["options"], levels_of(case)
    states = published_states(case["profile"])
    model = cost_model(cost, transfers=options["count_activation_transfers"])
    found = DynamicProgram(states, levels, model, replication=not options["straight"]).solve()
    assert found is not None
    return found, predict(found, states.profile, levels, model).seconds


def layers_of(case: dict[str, Any]) -> Profile:
    return Profile.chain(
        tuple(
            Layer(
                layer["name"],
                layer["fwd_ms"] / 1000,
                layer["bwd_ms"] / 1000,
                int(layer["out_bytes"]),
                int(layer["param_bytes"]),
            )
            for layer in case["layers"]
        )
    )


def test_the_cases_are_the_whole_set() -> None:
    assert len(PUBLISHED) == 40
    assert len(CHECKED) > 30
    assert SYNTHETIC


@pytest.mark.parametrize("cost", ["ring", "paper"])
@pytest.mark.parametrize("case", CHECKED, ids=lambda case: case["id"])
def test_published_profiles_give_the_known_optimum(case: dict[str, Any], cost: str) -> None:
    found, afresh = solve(case, cost)
    assert found.seconds == pytest.approx(case[cost]["slowest_stage_time_s"], rel=1e-6)
    assert afresh == pytest.approx(found.seconds, rel=1e-9)


@pytest.mark.parametrize("case", CHECKED, ids=lambda case: case["id"])
def test_published_profiles_match_or_beat_the_released_optimizer(case: dict[str, Any]) -> None:
    found, afresh = solve(case, "release")
    released = case["release"]["slowest_stage_time_s"]
    if case["check"].startswith("exact"):
        assert found.seconds == pytest.approx(released, rel=1e-6)
    else:
        assert found.seconds <= released * (1 + 1e-6)
        assert found.seconds == pytest.approx(case["exact_release_cost"]["slowest_stage_time_s"], rel=1e-6)
    assert afresh == pytest.approx(found.seconds, rel=1e-9)


@pytest.mark.parametrize("cost", list(COSTS))
@pytest.mark.parametrize("case", SYNTHETIC, ids=lambda case: case["id"])
def test_small_chains_give_the_known_optimum(case: dict[str, Any], cost: str) -> None:
    profile, levels, known = layers_of(case), levels_of(case), case[cost]
    found = plan(profile, levels, cost=cost)
    assert found.seconds == pytest.approx(known["slowest_stage_time_s"], rel=1e-6)
    if known["num_optimal_plans"] == 1:
        optimal = known["an_optimal_plan"]
        assert [len(stage.layers) for stage in found.stages] == optimal["layers_per_stage"]
        assert [stage.replicas for stage in found.stages] == optimal["replicas"]
        assert found.noam == optimal["noam"]


@pytest.mark.parametrize("part", range(10))
def test_five_hundred_random_graphs_equal_brute_force(part: int) -> None:
    rng = np.random.default_rng(part)
    for _ in range(50):
        profile = random_profile(rng, int(rng.integers(1, 6)))
        workers, rate = int(rng.integers(1, 6)), float(10 ** rng.uniform(2, 4.5))
        cost = str(rng.choice(list(COSTS)))
        found = plan(profile, (Level(workers, rate),), cost=cost)
        found.check(len(profile.layers), workers)
        stages, replicas = [frozenset(s.layers) for s in found.stages], tuple(s.replicas for s in found.stages)
        assert found.seconds == pytest.approx(best_seconds(profile, workers, rate, cost), rel=1e-9)
        assert found.seconds == pytest.approx(plan_seconds(profile, cost, rate, stages, replicas), rel=1e-9)


def test_memory_limits_equal_brute_force() -> None:
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(100):
        profile = random_profile(rng, int(rng.integers(1, 6)))
        workers, rate, copies = int(rng.integers(1, 6)), float(10 ** rng.uniform(2, 4.5)), int(rng.integers(3))
        limit = float(rng.uniform(0.1, 1) * 4 * (profile.parameter_bytes + 3000))
        best = best_seconds(profile, workers, rate, "ring", memory=limit, copies=copies)
        try:
            found = plan(profile, (Level(workers, rate),), memory=MemoryLimit(limit, copies))
        except HarnessError:
            assert best == float("inf")
            refused += 1
            continue
        stages, replicas = [frozenset(s.layers) for s in found.stages], tuple(s.replicas for s in found.stages)
        assert found.seconds == pytest.approx(best, rel=1e-9)
        assert max(stage_memory(profile, stages, replicas, copies)) <= limit
    assert 0 < refused < 100


def test_straight_pipelines_equal_brute_force() -> None:
    rng = np.random.default_rng(6)
    for _ in range(60):
        profile = random_profile(rng, int(rng.integers(1, 6)))
        workers, rate = int(rng.integers(1, len(profile.layers) + 1)), float(10 ** rng.uniform(2, 4.5))
        found = plan(profile, (Level(workers, rate),), shape="straight")
        assert [stage.replicas for stage in found.stages] == [1] * workers
        assert found.seconds == pytest.approx(best_seconds(profile, workers, rate, "ring", straight=True), rel=1e-9)


@pytest.mark.parametrize("cost", list(COSTS))
def test_two_levels_equal_brute_force(cost: str) -> None:
    rng = np.random.default_rng(7)
    for _ in range(25):
        profile = random_profile(rng, int(rng.integers(1, 6)), chain=True)
        inner = (int(rng.integers(2, 4)), float(10 ** rng.uniform(3, 4.5)))
        outer = (int(rng.integers(1, 4)), float(10 ** rng.uniform(2, 4)))
        levels = (Level(*inner), Level(*outer))
        found = DynamicProgram(States.of(profile), levels, cost_model(cost)).solve()
        assert found is not None
        by_level = best_on_two_levels(profile, inner, outer, cost)
        on_one = best_seconds(profile, inner[0] * outer[0], min(inner[1], outer[1]), cost)
        assert found.seconds == pytest.approx(by_level, rel=1e-9)
        assert plan(profile, levels, cost=cost).seconds == pytest.approx(min(by_level, on_one), rel=1e-9)
        assert predict(found, profile, levels, cost_model(cost)).seconds == pytest.approx(found.seconds, rel=1e-9)


@pytest.mark.parametrize("replication", [True, False])
@pytest.mark.parametrize("cost", list(COSTS))
def test_the_bottleneck_search_equals_the_dynamic_program(cost: str, replication: bool) -> None:
    rng = np.random.default_rng(8)
    for _ in range(60):
        profile = random_profile(rng, int(rng.integers(1, 10)), chain=True)
        level = Level(int(rng.integers(1, 25)), float(10 ** rng.uniform(2, 4.5)))
        model, states = cost_model(cost, transfers=bool(rng.integers(4))), States.of(profile)
        slow = DynamicProgram(states, (level,), model, replication=replication).solve()
        quick = BottleneckSearch(states, level, model, replication=replication).solve()
        if slow is None or quick is None:
            assert slow is quick is None
            assert level.workers > len(profile.layers)
            continue
        quick.check(len(profile.layers), level.workers)
        assert quick.seconds == pytest.approx(slow.seconds, rel=1e-9)
        assert predict(quick, profile, (level,), model).seconds == pytest.approx(quick.seconds, rel=1e-9)


@pytest.mark.parametrize("cost", list(COSTS))
def test_a_thousand_layers_on_a_thousand_workers_have_a_plan(cost: str) -> None:
    profile = random_profile(np.random.default_rng(9), 1000, chain=True)
    levels = (Level(1024, 1e5),)
    found = plan(profile, levels, cost=cost)
    found.check(1000, 1024)
    assert predict(found, profile, levels, cost_model(cost)).seconds == pytest.approx(found.seconds, rel=1e-9)
    together = data_parallel(profile, levels, cost=cost).seconds or 0
    assert profile.seconds / 1024 <= (found.seconds or 0) * (1 + 1e-9)
    assert (found.seconds or 0) <= together * (1 + 1e-9)


def test_graphs_with_too_many_cuts_are_cut_along_one_order() -> None:
    wide = random_profile(np.random.default_rng(10), 9)
    wide = Profile(wide.layers, ((0, 8),))
    levels = (Level(4, 1e4),)
    limited, whole = States.of(wide, most=100), States.of(wide, most=10**6)
    assert not limited.complete
    assert whole.complete
    assert len(limited) == 10
    assert len(whole) == 3 * 2**7
    along, best = (DynamicProgram(states, levels, cost_model("ring")).solve() for states in (limited, whole))
    assert along is not None
    assert best is not None
    assert (best.seconds or 0) <= (along.seconds or 0) * (1 + 1e-12)


def test_the_better_of_both_layouts_is_taken() -> None:
    profile = read_profile("vgg16")
    levels = (Level(4, 12e9), Level(2, 1.25e9))
    by_level = DynamicProgram(States.of(profile), levels, cost_model("ring")).solve()
    on_one = plan(profile, levels, hierarchical=False)
    assert by_level is not None
    assert (on_one.seconds or 0) < (by_level.seconds or 0)
    assert plan(profile, levels) == on_one
    assert plan(profile, flat(levels)) == on_one


def test_residual_nets_are_best_run_data_parallel() -> None:
    for levels in ((Level(4, 12e9), Level(4, 1.25e9)), (Level(8, 30e9), Level(2, 3.125e9))):
        profile = read_profile("resnet50")
        found = plan(profile, levels)
        assert found.kind == "data parallel"
        assert found.seconds == pytest.approx(profile.seconds / 16)


def test_data_parallelism_is_one_stage_of_everyone() -> None:
    profile = read_profile("vgg16")
    found = data_parallel(profile, (Level(16, 1.25e9),))
    assert str(found) == "16"
    assert found.noam == 1
    assert found.seconds == pytest.approx(0.051884079, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": "straight"}, "a straight pipeline of 8 stages has only 2 layers"),
        ({"shape": "crooked"}, "unknown shape 'crooked'; there is any, straight, data-parallel"),
        ({"cost": "free"}, "unknown cost model 'free'; there is ring, paper, release"),
        ({"memory": MemoryLimit(10)}, "no plan for 8 workers within 9.31e-09 GiB a worker"),
    ],
)
def test_what_cannot_be_planned_is_said_in_one_line(arguments: dict[str, Any], message: str) -> None:
    profile = Profile.chain((Layer("a", 1, 1, 10, 10), Layer("b", 1, 1, 10, 10)))
    with pytest.raises(HarnessError, match=message):
        plan(profile, (Level(8, 100.0),), **arguments)


def test_a_link_without_a_rate_is_refused() -> None:
    with pytest.raises(HarnessError, match="a link's rate must be positive, not 0 bytes a second"):
        Level(4, 0)


def test_a_level_without_workers_is_refused() -> None:
    with pytest.raises(HarnessError, match="at least one worker"):
        Level(0, 1)
