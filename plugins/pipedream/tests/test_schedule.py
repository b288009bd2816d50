"""Schedules against known answers, and as properties of drawn pipelines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orders import segment, simulate

from harness_pipedream.planning.schedule import (
    Operation,
    Schedule,
    fill_and_drain,
    noam,
    one_forward_one_backward,
    warmups,
)

CASES = json.loads((Path(__file__).parent / "cases" / "schedules.json").read_text())["cases"]
pipelines = st.lists(st.integers(1, 5), min_size=1, max_size=5)
versions = st.sampled_from(["weight_stashing", "vertical_sync", "naive"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["config"])
def test_the_known_schedules_come_out(case: dict[str, Any]) -> None:
    replicas = [stage["replicas"] for stage in case["stages"]]
    schedule = one_forward_one_backward(replicas)
    assert noam(replicas) == case["noam"]
    for stage in case["stages"]:
        index = stage["stage"]
        assert schedule.warmups[index] == stage["warmup_forwards"]
        for rank in stage["ranks"]:
            ran = segment(schedule, schedule.ranks(index)[rank["replica"]], case["minibatches"])
            works = [op for op in ran if op.kind != "update"]
            assert [f"{op.kind[0].upper()}{op.unit}" for op in works] == rank["ops"]
            used = {str(op.unit): op.version for op in works if op.kind == "forward"}
            assert used == rank["weight_version_used"]
            assert {str(op.unit): op.version for op in works if op.kind == "backward"} == used
            assert max(op.version - op.oldest + 1 for op in ran if op.kind == "update") <= stage["weight_versions_kept"]


@given(pipelines, st.integers(0, 25), st.integers(1, 9), versions)
def test_any_depth_ends_and_keeps_its_promises(replicas: list[int], units: int, depth: int, mode: Any) -> None:
    schedule = one_forward_one_backward(replicas, depth=depth, versions=mode)
    check(schedule, simulate(schedule, units), units)
    assert schedule.warmups[0] + 1 == (depth if len(replicas) > 1 else 1)
    assert schedule.warmups[-1] == 0


@given(pipelines, st.integers(1, 7), st.booleans())
def test_filling_and_draining_updates_once(replicas: list[int], microbatches: int, alternating: bool) -> None:
    schedule = fill_and_drain(replicas, microbatches, alternating=alternating)
    order = simulate(schedule, microbatches)
    check(schedule, order, microbatches)
    assert [op.unit for _, op in order if op.kind == "update"] == [microbatches] * sum(replicas)
    assert {op.version for _, op in order if op.kind != "update"} == {0}


def check(schedule: Schedule, order: list[tuple[int, Operation]], units: int) -> None:
    for rank in range(schedule.workers):
        stage, replica = schedule.place(rank)
        own = [op for owner, op in order if owner == rank]
        forwards = [op for op in own if op.kind == "forward"]
        backwards = [op for op in own if op.kind == "backward"]
        assert [op.unit for op in forwards] == list(range(replica, units, schedule.replicas[stage]))
        assert [op.unit for op in backwards] == [op.unit for op in forwards]
        if schedule.versions != "naive":
            assert [op.version for op in backwards] == [op.version for op in forwards]
        assert all(flying <= schedule.warmups[stage] + 1 for flying in in_flight(own))
        check_versions(own, schedule, stage, units)


def in_flight(own: list[Operation]) -> Iterator[int]:
    flying = 0
    for op in own:
        flying += {"forward": 1, "backward": -1, "update": 0}[op.kind]
        yield flying


def check_versions(own: list[Operation], schedule: Schedule, stage: int, units: int) -> None:
    """Versions exist when they are used, are there as long as they are, and updates include every unit."""
    newest, oldest = 0, 0
    for op in own:
        if op.kind == "update":
            assert op.version == newest + 1
            newest, oldest = op.version, op.oldest
        else:
            assert oldest <= op.version <= newest
    size = schedule.rounds[stage]
    ends = [op.unit for op in own if op.kind == "update"]
    assert ends == [min(end, units) for end in range(size, units + size, size)]


@given(pipelines)
def test_the_usual_depth_is_noam(replicas: list[int]) -> None:
    assert warmups(replicas, noam(replicas)) == warmups(replicas)
    workers = sum(replicas)
    natural = [(workers - 1 - sum(replicas[:s])) // r for s, r in enumerate(replicas)]
    if len(replicas) > 1:
        assert list(warmups(replicas)) == natural


@given(st.integers(2, 6), st.integers(1, 30))
def test_vertical_sync_uses_the_input_stages_version_everywhere(stages: int, units: int) -> None:
    schedule = one_forward_one_backward([1] * stages, versions="vertical_sync")
    for stage in range(stages):
        used = [op.version for op in segment(schedule, stage, units) if op.kind == "forward"]
        assert used == [max(0, unit - stages + 1) for unit in range(units)]


def test_units_are_not_admitted_before_they_are_needed() -> None:
    asked: list[int] = []
    endless = one_forward_one_backward([2, 1]).operations(0, 0, lambda unit: asked.append(unit) is None)
    for _ in zip(range(10), endless, strict=False):
        pass
    assert next(count(max(asked))) <= 10
