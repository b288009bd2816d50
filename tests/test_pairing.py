"""Which cells a claim pairs, against a plain search, and what a suite is told about claims that cannot be."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.claimcheck import check_claim
from harness.errors import HarnessError
from harness.pairing import COORDINATES, expand, pairings, select, spoken
from harness.records import CellResult, CellSpec, ClaimSpec, ComponentSpec, Selector


def component(label: str, name: str | None = None) -> ComponentSpec:
    return ComponentSpec(name=name or label, label=label)


def cell(workload: str, parallelizer: str, seed: int = 0, device: str = "cpu", /, **more: Any) -> CellSpec:
    parts = dict(zip(COORDINATES, map(component, (workload, parallelizer, device)), strict=True))
    return CellSpec(
        id=f"s/{workload}/{parallelizer}/{device}/{seed}", suite="s", block="", seed=seed, **{**parts, **more}
    )


def claim(measure: str = "a.risk / b.risk", **more: Any) -> ClaimSpec:
    return ClaimSpec(**{"id": "c", "says": "s", "source": "x", "measure": measure, "holds": "<= 1", **more})


def versus(a: dict[str, Any], b: dict[str, Any], **more: Any) -> ClaimSpec:
    return claim(cells={"a": Selector(**a), "b": Selector(**b)}, **more)


def grid(workloads: str, parallelizers: str, seeds: int) -> list[CellSpec]:
    return [cell(w, p, s) for w, p, s in itertools.product(workloads.split(), parallelizers.split(), range(seeds))]


def done(spec: CellSpec, risk: float | None, outcome: Any = "done", **more: Any) -> CellResult:
    return CellResult(cell=spec, outcome=outcome, metrics={"risk": risk}, **more)


@pytest.mark.parametrize(
    "pattern, labels",
    [
        ("sgd", ["sgd", "fast"]),
        ("fast", ["fast"]),
        ("s*", ["sgd", "saga[1]"]),
        ("saga[1]", ["saga[1]"]),
        ("plugin:saga", ["saga[1]"]),
        ("saga", ["saga[1]"]),
        ("SGD", []),
    ],
)
def test_a_selector_fits_a_glob_on_the_label_or_a_name(pattern: str, labels: list[str]) -> None:
    kinds = [component("sgd"), component("fast", "sgd"), component("saga[1]", "plugin:saga")]
    cells = [cell("w", kind.label, parallelizer=kind) for kind in kinds]
    assert [c.parallelizer.label for c in select(Selector(parallelizer=pattern), cells)] == labels


LABELS = st.sampled_from(["x", "y"])
some_cells = st.sets(st.tuples(LABELS, LABELS, LABELS, st.integers(0, 2)), max_size=20).map(
    lambda keys: [cell(w, p, s, d) for w, p, d, s in sorted(keys)]
)
patterns = st.none() | st.sampled_from(["x", "y", "[xy]"])
selectors = st.fixed_dictionaries(dict.fromkeys(COORDINATES, patterns)).map(lambda fields: Selector(**fields))


@settings(max_examples=300)
@given(some_cells, selectors, selectors)
def test_pairs_share_seed_and_all_that_is_not_compared(cells: list[CellSpec], a: Selector, b: Selector) -> None:
    compared = [axis for axis in COORDINATES if getattr(a, axis) != getattr(b, axis)]
    searched = {
        (one.id, other.id)
        for one in select(a, cells)
        for other in select(b, cells)
        if one.seed == other.seed
        and all(getattr(one, axis) == getattr(other, axis) for axis in COORDINATES if axis not in compared)
    }
    question = claim(cells={"a": a, "b": b})
    found = [(unit["a"].id, unit["b"].id) for unit in pairings(question, cells)]
    assert len(found) == len(set(found))
    assert set(found) <= searched
    try:
        check_claim(question, cells, ["risk"])
    except HarnessError:
        return
    assert set(found) == searched


def test_a_measure_is_told_with_what_its_aliases_are() -> None:
    compared = versus(
        {"parallelizer": "A", "workload": "w"}, {"parallelizer": "B", "workload": "w", "best": "low risk"}
    )
    alone = ClaimSpec.model_validate(
        {**compared.model_dump(), "measure": "a.risk", "cells": {"a": compared.cells["a"]}}
    )
    assert spoken(compared) == "a.risk / b.risk, a: A, b: B (low risk)"
    assert spoken(alone) == "a.risk, a: w, A"


def test_cells_of_different_budgets_are_no_pair() -> None:
    cells = [cell("w", "sgd", budget={"epochs": 1}), cell("w", "saga", budget={"epochs": 2})]
    assert pairings(versus({"parallelizer": "saga"}, {"parallelizer": "sgd"}), cells) == []


def test_each_gives_one_claim_for_each_label_even_where_a_label_is_also_a_name() -> None:
    own = component("own", name="stream")
    cells = [cell("stream", "sgd"), cell("own", "sgd", workload=own)]
    expanded = expand(claim("a.risk", cells={"a": Selector()}, each="workload"), cells)
    assert [(one.id, [c.id for c in among]) for one, among in expanded] == [
        ("c[stream]", [cells[0].id]),
        ("c[own]", [cells[1].id]),
    ]


def test_each_over_cells_that_were_left_out_is_still_a_claim() -> None:
    ((one, among),) = expand(versus({"parallelizer": "saga"}, {}, each="workload"), grid("w", "sgd", 1))
    assert (one.id, among) == ("c", [])


TUNED = versus({"parallelizer": "saga"}, {"parallelizer": "sgd*", "best": "min risk", "on_seeds": [3]}, each="workload")


def test_best_is_chosen_in_each_group_on_seeds_that_are_then_left_out() -> None:
    cells = grid("u v", "saga sgd-1 sgd-2", 4)
    favourite = {"u": "sgd-1", "v": "sgd-2"}
    risks = {
        # on the seeds that are reported the other one would win
        c.id: 0.1 if (c.parallelizer.label == favourite[c.workload.label]) == (c.seed == 3) else 0.5
        for c in cells
    }
    results = {c.id: done(c, risks[c.id]) for c in cells}
    units = pairings(TUNED, cells, results)
    assert {(u["b"].workload.label, u["b"].parallelizer.label) for u in units} == set(favourite.items())
    assert sorted(u["a"].seed for u in units) == [0, 0, 1, 1, 2, 2]
    assert all(u["a"].seed == u["b"].seed for u in units)


def test_without_results_every_candidate_and_tuning_seed_is_paired() -> None:
    cells = grid("u", "saga sgd-1 sgd-2", 4)
    joined = {(unit["a"].seed, unit["b"].parallelizer.label) for unit in pairings(TUNED, cells)}
    assert joined == set(itertools.product(range(4), ["sgd-1", "sgd-2"]))


@pytest.mark.parametrize("way, labels", [("min", "sgd-1"), ("max", "sgd-2")])
def test_best_without_seeds_of_its_own_takes_the_median_of_those_reported(way: str, labels: str) -> None:
    cells = grid("u", "saga sgd-1 sgd-2", 3)
    risk = {"saga": [1, 1, 1], "sgd-1": [9, 0, 1], "sgd-2": [2, 2, 0]}
    results = {c.id: done(c, risk[c.parallelizer.label][c.seed]) for c in cells}
    question = versus({"parallelizer": "saga"}, {"parallelizer": "sgd*", "best": f"{way} risk"})
    assert [u["b"].parallelizer.label for u in pairings(question, cells, results)] == [labels] * 3


@pytest.mark.parametrize("lost", ["failed", "timeout", "unreached"])
def test_a_candidate_that_mostly_fails_is_not_the_best(lost: str) -> None:
    cells = grid("u", "saga sgd-1 sgd-2", 3)
    results = {c.id: done(c, 0.5) for c in cells}
    lucky, *rest = [c for c in cells if c.parallelizer.label == "sgd-1"]
    results[lucky.id] = done(lucky, 0.1)
    for c in rest:
        results[c.id] = done(c, None, censored={"risk": 0.2}) if lost == "unreached" else done(c, None, lost)
    question = versus({"parallelizer": "saga"}, {"parallelizer": "sgd*", "best": "min risk"})
    assert {u["b"].parallelizer.label for u in pairings(question, cells, results)} == {"sgd-2"}


def accurate(spec: CellSpec, accuracy: float, spent: float) -> CellResult:
    return CellResult(cell=spec, outcome="done", metrics={"risk": spent, "accuracy": accuracy})


CHEAPEST = versus(
    {"parallelizer": "saga"},
    {"parallelizer": "sgd-*", "best": "min risk", "when": "b.accuracy - a.accuracy >= -0.02"},
    each="workload",
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(*[st.integers(80, 100)] * 4, st.permutations([1, 2, 3])), min_size=3, max_size=3))
def test_best_among_those_that_meet_a_condition_is_that_of_a_plain_search(seeds: list[Any]) -> None:
    cells = grid("u", "saga sgd-1 sgd-2 sgd-3", 3)
    names = ["saga", "sgd-1", "sgd-2", "sgd-3"]
    gained = {(name, seed): seeds[seed][names.index(name)] / 100 for name in names for seed in range(3)}
    results = {
        c.id: accurate(c, gained[c.parallelizer.label, c.seed], 1.0 + names.index(c.parallelizer.label)) for c in cells
    }
    good = [
        name for name in names[1:] if sorted(gained[name, seed] - gained["saga", seed] for seed in range(3))[1] >= -0.02
    ]
    found = {unit["b"].parallelizer.label for unit in pairings(CHEAPEST, cells, results)}
    assert found == set(good[:1])


def test_a_candidate_whose_pairs_mostly_lack_a_number_does_not_come_into_question() -> None:
    cells = grid("u", "saga sgd-1 sgd-2", 3)
    results = {c.id: accurate(c, 0.9, 1.0 if c.parallelizer.label == "sgd-1" else 2.0) for c in cells}
    for lost in [c for c in cells if c.parallelizer.label == "sgd-1"][:2]:
        results[lost.id] = CellResult(cell=lost, outcome="failed")
    assert {unit["b"].parallelizer.label for unit in pairings(CHEAPEST, cells, results)} == {"sgd-2"}


def test_where_no_candidate_was_measured_there_is_no_best_and_no_pair() -> None:
    cells = grid("u", "saga sgd-1", 4)
    results = {c.id: done(c, 1.0) for c in cells if c.seed != 3}
    assert pairings(TUNED, cells, results) == []


SAGA, SGD = {"parallelizer": "saga"}, {"parallelizer": "sgd"}
WRONG: dict[str, tuple[ClaimSpec, str]] = {
    "no such cells": (versus(SAGA, {"parallelizer": "sgdd"}), "parallelizer in cells.b 'sgdd'; did you mean 'sgd'"),
    "none has all": (versus({**SAGA, "workload": "v"}, SGD), "cells.a names no cell"),
    "ambiguous": (
        versus(SAGA, {"parallelizer": "*", "workload": "u"}),
        "cells.b fits both 's/u/sgd/cpu/0' and 's/u/saga/cpu/0'",
    ),
    "itself": (versus(SGD, {"parallelizer": "[s]gd"}), "a and b compare 's/u/sgd/cpu/0' with itself"),
    "never together": (versus({"parallelizer": "late"}, SGD), "no pair: a, b never share seed"),
    "unknown alias": (versus(SAGA, SGD, measure="a.risk / c.risk"), "unknown cells 'c'"),
    "unknown metric": (versus(SAGA, SGD, measure="a.risk / b.rsik"), "unknown metric 'rsik'; did you mean 'risk'"),
    "unknown metric in when": (versus(SAGA, SGD, when="b.rsik >= 1"), "unknown metric 'rsik'"),
    "unknown metric in best": (versus(SAGA, {**SGD, "best": "min rsik"}), "unknown metric 'rsik'"),
    "when counts": (versus(SAGA, SGD, when="b.risk >= 1 in 4 of 5"), "counts pairs"),
    "no metric": (versus(SAGA, SGD, measure="1 + 1"), "names no metric: write 'a.risk'"),
    "best cannot be read": (versus(SAGA, {**SGD, "best": "least risk"}), "write 'min METRIC' or 'max METRIC'"),
    "seeds for nothing": (versus(SAGA, {**SGD, "on_seeds": [0]}), "there is no best"),
    "seeds that are not": (versus(SAGA, {**SGD, "best": "min risk", "on_seeds": [7]}), "no cell has the seed 7"),
    "no seeds left": (versus(SAGA, {**SGD, "best": "min risk", "on_seeds": [0, 1]}), "on_seeds takes every seed"),
    "unknown metric in a candidate's when": (
        versus(SAGA, {**SGD, "best": "min risk", "when": "b.rsik >= 1"}),
        "'rsik'",
    ),
    "candidates of nothing": (versus(SAGA, {**SGD, "when": "b.risk >= 1"}), "there is no best"),
    "when of another": (versus(SAGA, {**SGD, "best": "min risk", "when": "a.risk >= 1"}), "says nothing of b"),
    "when of a best one": (
        versus({**SAGA, "best": "min risk"}, {**SGD, "best": "min risk", "when": "b.risk - a.risk >= 1"}),
        "names a, which is chosen by best itself",
    ),
    "unknown estimator": (versus(SAGA, SGD, estimator="rnak"), "unknown estimator 'rnak'; did you mean 'rank'"),
    "each of what is compared": (versus(SAGA, SGD, each="parallelizer"), "compared by parallelizer"),
    "condition": (versus(SAGA, SGD, holds="=< 1"), "condition '=< 1' cannot be read"),
    "formula": (versus(SAGA, SGD, measure="a.risk /"), "does not parse"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_claim_that_can_never_be_measured_is_refused_in_one_line(case: str) -> None:
    wrong, message = WRONG[case]
    cells = [*grid("u", "sgd saga", 2), cell("v", "sgd"), cell("v", "late", 9)]
    with pytest.raises(HarnessError) as caught:
        check_claim(wrong, cells, ["risk"], ["rank"])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "right",
    [
        versus(SAGA, SGD),
        versus(SAGA, SGD, each="workload", when="b.risk > 0", holds="0..1 in 4 of 5"),
        versus(SAGA, {"parallelizer": "s*", "best": "min risk"}, estimator="rank"),
        claim("a.risk", cells={"a": Selector()}),
    ],
)
def test_a_claim_that_can_be_measured_passes(right: ClaimSpec) -> None:
    check_claim(right, grid("u v", "sgd saga", 2), ["risk"], ["rank"])
