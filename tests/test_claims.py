"""Verdicts on planted truths, and what a verdict may never depend on."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.claims import judge
from harness.components import Estimator
from harness.records import CellResult, CellSpec, ClaimResult, ClaimSpec, ComponentSpec, Selector

Measured = float | tuple[str, float] | str | None  # a number, ("at least", bound), an outcome, or no result


def cell(alias: str, seed: int, **parameters: Any) -> CellSpec:
    parts = {k: ComponentSpec(name=k, label=k, parameters=parameters) for k in ("workload", "device")}
    label = ComponentSpec(name=alias, label=alias)
    return CellSpec(id=f"s/{alias}/{seed}", suite="s", block="", parallelizer=label, seed=seed, **parts)


def result(spec: CellSpec, value: Measured, **others: float) -> CellResult:
    if isinstance(value, str):
        return CellResult(cell=spec, outcome=value, reason="as planted")
    if isinstance(value, tuple):
        return CellResult(cell=spec, outcome="done", metrics={"t": None, **others}, censored={"t": value[1]})
    return CellResult(cell=spec, outcome="done", metrics={"t": value, **others})


def at_least(bound: float) -> tuple[str, float]:
    return ("at least", bound)


def claim(holds: str, measure: str = "a.t / b.t", **more: Any) -> ClaimSpec:
    cells = {alias: Selector(parallelizer=alias) for alias in "ab"}
    return ClaimSpec(
        **{"id": "c", "says": "s", "source": "x", "cells": cells, "measure": measure, "holds": holds, **more}
    )


def verdict(
    holds: str, a: Sequence[Measured], b: Sequence[Measured], *, exact: bool = False, **more: Any
) -> ClaimResult:
    specs = [cell(alias, seed) for seed in range(len(a)) for alias in "ab"]
    values = [value for pair in zip(a, b, strict=True) for value in pair]
    results = {s.id: result(s, v) for s, v in zip(specs, values, strict=True) if v is not None}
    (found,) = judge([claim(holds, **more)], specs, results, exact=["t"] if exact else [])
    return found


def planted(ratio: float, pairs: int, rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """Times of interleaved pairs, in random order, on a machine that drifts by a third and stalls now and then."""
    drift = np.exp(rng.uniform(-0.3, 0.3) * np.linspace(0, 1, 2 * pairs) + np.cumsum(rng.normal(0, 0.01, 2 * pairs)))
    noise = np.exp(rng.normal(0, 0.02, 2 * pairs))
    stalls = np.where(rng.random(2 * pairs) < 0.05, rng.uniform(1.3, 3, 2 * pairs), 1)
    slots = (drift * noise * stalls).reshape(pairs, 2)
    rng.permuted(slots, axis=1, out=slots)
    return (ratio * slots[:, 0]).tolist(), slots[:, 1].tolist()


def verdicts(holds: str, ratio: float, pairs: int, runs: int) -> Counter[str]:
    rng = np.random.default_rng([pairs, int(100 * ratio)])
    return Counter(verdict(holds, *planted(ratio, pairs, rng)).verdict for _ in range(runs))


@pytest.mark.parametrize(
    "ratio, pairs, holds, right",
    [
        (1, 8, "<= 1.5", "holds"),
        (2, 8, "<= 1.5", "falls short"),
        (2, 8, ">= 1.5", "holds"),
        (1.05, 8, "<= 1.5", "holds"),
        (1.05, 8, ">= 1.5", "falls short"),
        (1.05, 20, "> 1", "holds"),
        (1.05, 20, "<= 1", "falls short"),
        (1, 20, "0.9..1.1", "holds"),
        (2, 8, "0.9..1.1", "falls short"),
        (2, 5, ">= 1.5", "inconclusive"),
    ],
)
def test_a_planted_ratio_gets_the_right_verdict_under_drift_and_spikes(
    ratio: float, pairs: int, holds: str, right: str
) -> None:
    assert verdicts(holds, ratio, pairs, runs=100)[right] >= 95


@pytest.mark.parametrize("pairs", [10, 20])
def test_equal_cells_seldom_raise_a_false_alarm(pairs: int) -> None:
    found = verdicts("1..1", 1, pairs, runs=300)
    assert found["holds"] == 0
    assert found["falls short"] <= 0.08 * 300


def test_a_true_ratio_on_the_limit_is_seldom_decided() -> None:
    found = verdicts("<= 1", 1, 10, runs=200)
    assert found["inconclusive"] >= 0.9 * 200


def test_a_claim_never_holds_by_default() -> None:
    assert verdict("<= 9", [], []).verdict == "not measured"
    assert verdict("<= 9", [1] * 5, [1] * 5).reason == "5 of the 6 pairs that are needed"
    assert verdict("<= 9", [1] * 5, [1] * 5).verdict == "inconclusive"
    assert verdict("<= 9", [1] * 6, [1] * 6).verdict == "holds"
    assert verdict("<= 9", [math.nan] * 8, [1] * 8).verdict == "not measured"
    assert verdict(">= 1", [math.inf] * 8, [1] * 8).verdict == "inconclusive"


@pytest.mark.parametrize("value", [3.0, 0.05, 7.0, 1 / 3])
def test_one_exact_pair_is_enough_and_a_ratio_on_the_limit_holds(value: float) -> None:
    found = verdict(f"<= {value!r}", [value], [1], exact=True)
    assert (found.verdict, found.measured, found.low, found.high, found.pairs) == ("holds", value, value, value, 1)
    assert verdict(f"< {value!r}", [value], [1], exact=True).verdict == "falls short"
    assert verdict(f">= {value!r}", [value] * 6, [1] * 6).verdict == "holds"


def test_one_pair_is_not_enough_where_any_metric_used_is_not_exact() -> None:
    specs = [cell("a", 0), cell("b", 0)]
    results = {s.id: result(s, 1.0, bytes=1.0) for s in specs}
    (found,) = judge([claim("<= 9", "a.bytes * a.t / b.t")], specs, results, exact=["bytes"])
    assert found.verdict == "inconclusive"


def test_cells_without_a_number_lose_their_pair_and_the_reason_counts_them() -> None:
    found = verdict("<= 9", [1.0] * 8, ["failed", "timeout", None, "skipped", "failed", 1.0, 1.0, 1.0])
    assert (found.verdict, found.pairs) == ("inconclusive", 3)
    assert found.reason.split("; ") == [
        "3 of the 6 pairs that are needed",
        "2 of 8 pairs: b (b) failed: as planted",
        "1 of 8 pairs: b (b) timeout: as planted",
        "1 of 8 pairs: b (b) has not run",
        "1 of 8 pairs: b (b) skipped: as planted",
    ]
    lost = verdict("<= 9", ["skipped"] * 2, [1.0] * 2)
    assert (lost.verdict, lost.measured) == ("not measured", None)
    assert lost.reason == "2 of 2 pairs: a (a) skipped: as planted"


def test_a_metric_that_was_not_measured_is_no_number() -> None:
    specs = [cell(alias, seed) for seed in range(6) for alias in "ab"]
    results = {s.id: CellResult(cell=s, outcome="done", metrics={"t": None}) for s in specs}
    (found,) = judge([claim("<= 9")], specs, results)
    assert (found.verdict, found.reason) == ("not measured", "6 of 6 pairs: t of a (a) was not measured")


@pytest.mark.parametrize(
    ("outcome", "judged"), [("failed", "inconclusive"), ("timeout", "inconclusive"), ("skipped", "holds")]
)
def test_a_claim_does_not_hold_on_what_is_left_when_cells_broke(outcome: str, judged: str) -> None:
    assert verdict("<= 9", [1.0] * 12, [*[1.0] * 11, outcome]).verdict == judged


def test_numbers_that_a_failed_cell_left_do_not_count() -> None:
    specs = [cell(alias, seed) for seed in range(6) for alias in "ab"]
    results = {s.id: CellResult(cell=s, outcome="failed", reason="NaN", metrics={"t": 1.0}) for s in specs}
    (found,) = judge([claim("<= 9")], specs, results)
    assert (found.verdict, found.reason) == ("not measured", "6 of 6 pairs: a (a) failed: NaN")


def test_pairs_without_a_value_keep_a_claim_from_holding() -> None:
    found = verdict("<= 9", [1.0] * 9, [1.0] * 8 + [0.0])
    assert (found.verdict, found.reason) == ("inconclusive", "1 of 9 pairs: the formula has no value")
    assert verdict("<= 1 in 4 of 5", [1.0] * 9, [1.0] * 8 + [0.0]).verdict == "inconclusive"


def test_a_precondition_that_is_not_met_leaves_the_pair_out() -> None:
    found = verdict("<= 9", [1.0] * 8, [2.0] * 6 + [0.5] * 2, when="b.t >= 1")
    assert (found.verdict, found.pairs, found.reason) == ("holds", 6, "2 of 8 pairs: not b.t >= 1")
    never = verdict("<= 9", [1.0] * 8, [0.5] * 8, when="b.t >= 1")
    assert (never.verdict, never.reason) == ("not measured", "8 of 8 pairs: not b.t >= 1")
    lost = verdict("<= 9", [1.0], ["failed"], measure="a.t", when="b.t >= 1")
    assert lost.reason == "1 of 1 pairs: b (b) failed: as planted"


def test_a_precondition_on_an_unreached_target_must_hold_whatever_it_was() -> None:
    assert verdict("<= 9", [1.0] * 6, [at_least(2)] * 6, measure="a.t", when="b.t >= 1").pairs == 6
    assert verdict("<= 9", [1.0] * 6, [at_least(2)] * 6, measure="a.t", when="b.t <= 9").pairs == 0


@pytest.mark.parametrize(
    "holds, a, b, right",
    [
        (">= 2", at_least(6), 2.0, "holds"),  # the true ratio is 3 or more
        ("<= 9", at_least(6), 2.0, "falls short"),  # it may be anything: it counts against
        ("<= 1", 2.0, at_least(4), "holds"),
        (">= 0.1", 2.0, at_least(4), "falls short"),
        ("0.5..9", at_least(2), 2.0, "falls short"),
        ("<= 3", at_least(6), at_least(6), "not measured"),
    ],
)
def test_an_unreached_target_counts_as_its_budget_where_that_understates_the_claim_else_against_it(
    holds: str, a: Measured, b: Measured, right: str
) -> None:
    assert verdict(holds, [a] * 6, [b] * 6).verdict == right


def test_pairs_of_which_neither_side_reached_its_target_are_counted_beside() -> None:
    found = verdict("<= 2", [1.0] * 6 + [at_least(5)] * 2, [1.0] * 6 + [at_least(5)] * 2)
    assert (found.verdict, found.pairs, found.unreached) == ("holds", 6, 2)
    none = verdict("<= 2", [at_least(5)] * 2, [at_least(5)] * 2)
    assert (none.verdict, none.unreached, none.reason) == ("not measured", 2, "2 of 2 pairs: no target was reached")


def test_a_difference_of_which_one_side_was_not_reached_is_a_pair_that_counts_against() -> None:
    found = verdict(">= -5", [3.0] * 6, [at_least(5)] * 6, measure="(a.t - b.t) / b.t")
    assert (found.verdict, found.pairs, found.unreached) == ("falls short", 6, 0)


seconds = st.floats(0.1, 10)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(seconds, seconds, st.booleans(), st.booleans()), min_size=6, max_size=9),
    st.sampled_from(["<= 1.5", ">= 1.5", "0.5..2", "> 1"]),
    st.data(),
)
def test_a_verdict_for_a_claim_stands_whatever_the_unreached_values_might_have_been(
    pairs: list[tuple[float, float, bool, bool]], holds: str, data: st.DataObject
) -> None:
    def column(side: int) -> list[Measured]:
        return [at_least(pair[side]) if pair[2 + side] else pair[side] for pair in pairs]

    reached = [pair for pair in pairs if not (pair[2] and pair[3])]
    if verdict(holds, column(0), column(1)).verdict == "holds":
        more = st.lists(st.floats(0, 1e6), min_size=len(reached), max_size=len(reached))
        extra = np.array([data.draw(more), data.draw(more)])
        a, b = (np.array([pair[side] for pair in reached]) for side in (0, 1))
        a, b = a + extra[0] * [pair[2] for pair in reached], b + extra[1] * [pair[3] for pair in reached]
        assert verdict(holds, a.tolist(), b.tolist()).verdict == "holds"


whole = st.integers(1, 30).map(float)
measured = whole | whole.map(at_least) | st.sampled_from(["failed", "skipped"])
MIRROR = {"<=": ">=", ">=": "<=", "<": ">", ">": "<"}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(measured, measured), min_size=1, max_size=9).filter(lambda pairs: len(pairs) % 2 == 1),
    st.sampled_from(sorted(MIRROR)),
    st.sampled_from([0.5, 1, 2, 4]),
)
def test_swapping_the_sides_and_turning_the_condition_round_gives_the_same_verdict(
    pairs: list[tuple[Measured, Measured]], sign: str, limit: float
) -> None:
    a, b = map(list, zip(*pairs, strict=True))
    straight, turned = verdict(f"{sign} {limit}", a, b), verdict(f"{MIRROR[sign]} {1 / limit}", b, a)
    assert (straight.pairs, straight.unreached) == (turned.pairs, turned.unreached)
    if straight.pairs % 2:  # the mean of two middles rounds
        assert straight.verdict == turned.verdict


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(measured, measured), min_size=1, max_size=9), st.floats(0.1, 5), st.floats(0, 5))
def test_a_claim_that_holds_also_holds_where_less_is_asked(
    pairs: list[tuple[Measured, Measured]], limit: float, slack: float
) -> None:
    a, b = map(list, zip(*pairs, strict=True))
    if verdict(f"<= {limit}", a, b).verdict == "holds":
        assert verdict(f"<= {limit + slack}", a, b).verdict == "holds"
    assert verdict(f"<= {limit}", [*a, *a], [*b, *["failed"] * len(b)]).pairs == verdict(f"<= {limit}", a, b).pairs


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(whole, whole), min_size=1, max_size=12), st.integers(1, 5))
def test_counting_is_decided_by_count(pairs: list[tuple[float, float]], needed: int) -> None:
    a, b = map(list, zip(*pairs, strict=True))
    met = sum(x <= y for x, y in pairs)
    found = verdict(f"<= 1 in {needed} of 5", a, b)
    assert found.measured == met / len(pairs)
    if len(pairs) < 5:
        assert (found.verdict, found.reason) == ("inconclusive", f"{len(pairs)} of the 5 pairs that are needed")
    else:
        assert found.verdict == ("holds" if 5 * met >= needed * len(pairs) else "falls short")


def test_a_pair_that_counts_against_is_counted_as_not_meeting_it() -> None:
    found = verdict("<= 1 in 4 of 5", [1.0] * 3 + [at_least(0.5)] * 2, [1.0] * 5)
    assert (found.verdict, found.measured) == ("falls short", 0.6)


def test_a_quotient_is_the_geometric_and_anything_else_the_plain_median() -> None:
    a = [1.0, 1.0, 1.0, 4.0, 4.0, 4.0]
    assert verdict("<= 9", a, [1.0] * 6).measured == pytest.approx(2)
    assert verdict("<= 9", a, [1.0] * 6, measure="a.t - b.t").measured == 1.5
    assert verdict("<= 9", a, [1.0] * 6, measure="(a.t - 2) / b.t").measured == 0.5


def test_each_label_has_a_verdict_of_its_own() -> None:
    specs = [
        cell(alias, seed).model_copy(
            update={"id": f"s/{load}/{alias}/{seed}", "workload": ComponentSpec(name="stream", label=load)}
        )
        for load in ("poisson", "own")
        for seed in range(6)
        for alias in "ab"
    ]
    results = {s.id: result(s, 3.0 if s.workload.label == "own" and "/a/" in s.id else 1.0) for s in specs}
    found = judge([claim("<= 2", each="workload")], specs, results)
    assert [(f.id, f.verdict) for f in found] == [("c[poisson]", "holds"), ("c[own]", "falls short")]


def test_a_claim_whose_cells_were_left_out_is_not_measured() -> None:
    specs = [cell("a", seed) for seed in range(6)]
    results = {s.id: result(s, 1.0) for s in specs}
    for each in (None, "workload"):
        (found,) = judge([claim("<= 9", each=each)], specs, results)
        assert (found.verdict, found.reason) == ("not measured", "none of its pairs is among these cells")


def test_a_claim_whose_best_is_not_known_is_not_measured() -> None:
    cells = {"a": Selector(parallelizer="a"), "b": Selector(parallelizer="b", best="min t", on_seeds=(9,))}
    specs = [cell(alias, seed) for seed in (0, 1, 9) for alias in "ab"]
    results = {s.id: result(s, 1.0) for s in specs if s.seed != 9}
    (found,) = judge([claim("<= 9", cells=cells)], specs, results, exact=["t"])
    assert (found.verdict, found.reason) == ("not measured", "which cells are best is not known")


def test_a_verdict_is_worked_out_again_from_stored_results() -> None:
    specs = [cell(alias, seed) for seed in range(8) for alias in "ab"]
    values: Iterable[Measured] = [
        1.3,
        1.1,
        0.9,
        "failed",
        1.2,
        1.0,
        at_least(2),
        1.4,
        1.7,
        1.6,
        1.0,
        1.1,
        1.1,
        1.0,
        1,
        2,
    ]
    results = {s.id: result(s, v) for s, v in zip(specs, values, strict=True)}
    stored = {k: CellResult.model_validate_json(r.model_dump_json()) for k, r in results.items()}
    question = claim("<= 1.5")
    again = ClaimSpec.model_validate(json.loads(question.model_dump_json()))
    assert judge([again], [r.cell for r in stored.values()], stored) == judge([question], specs, results)


def rank_correlation(units: list[Mapping[str, float]]) -> float:
    ranks = [np.argsort(np.argsort([unit[name] for unit in units])) for name in ("a.workload.degree", "a.t")]
    return 1 - 6 * float(np.sum((ranks[0] - ranks[1]) ** 2)) / (len(units) * (len(units) ** 2 - 1))


def by_estimator(estimate: Callable[[list[Mapping[str, float]]], float], values: Sequence[Measured]) -> ClaimResult:
    specs = [cell("a", seed, degree=seed / 2, sorted=True, kind="x") for seed in range(len(values))]
    results = {s.id: result(s, v) for s, v in zip(specs, values, strict=True)}
    question = claim(">= 0.8", "a.t", cells={"a": Selector()}, estimator="rank")
    (found,) = judge([question], specs, results, estimators={"rank": Estimator("rank", "", estimate)})
    return found


def test_an_estimator_sees_metrics_and_numeric_parameters_of_each_unit() -> None:
    seen: list[Mapping[str, float]] = []

    def look(units: list[Mapping[str, float]]) -> float:
        seen.extend(units)
        return 1.0

    by_estimator(look, [5.0])
    assert dict(seen[0]) == {
        "a.t": 5.0,
        **{
            f"a.{axis}.{name}": value
            for axis in ("workload", "device")
            for name, value in (("degree", 0), ("sorted", 1))
        },
    }


def test_an_estimator_decides_a_claim_that_no_formula_expresses() -> None:
    up = [float(t * t) for t in range(10)]
    assert (by_estimator(rank_correlation, up).verdict, by_estimator(rank_correlation, up).measured) == ("holds", 1)
    assert by_estimator(rank_correlation, up[::-1]).verdict == "falls short"
    assert by_estimator(rank_correlation, up[:4]).verdict == "inconclusive"


def test_an_estimators_lost_units_and_own_failures_are_reasons() -> None:
    lost = by_estimator(rank_correlation, ["failed"] * 2 + [at_least(3)])
    assert (lost.verdict, lost.unreached) == ("not measured", 1)
    assert lost.reason == "1 of 3 pairs: no target was reached; 2 of 3 pairs: a (a) failed: as planted"
    broken = by_estimator(lambda units: 1 / 0, [1.0] * 8)
    assert (broken.verdict, broken.reason) == ("not measured", "rank: ZeroDivisionError: division by zero")
    assert by_estimator(lambda units: math.nan, [1.0] * 8).verdict == "inconclusive"


def test_an_estimator_that_is_not_installed_leaves_its_claim_unmeasured() -> None:
    specs = [cell("a", 0)]
    question = claim(">= 0.8", "a.t", cells={"a": Selector()}, estimator="gone")
    (found,) = judge([question], specs, {specs[0].id: result(specs[0], 1.0)})
    assert (found.verdict, found.reason) == ("not measured", "no estimator 'gone' is installed")
