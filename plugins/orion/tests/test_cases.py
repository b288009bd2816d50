"""The known plans: strategy, dimensions, vectors and placement by the paper's rules; exact sets only do better."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from harness_orion.analysis.plan import Plan, Where
from harness_orion.analysis.strategies import make_plan
from harness_orion.analysis.vectors import Free
from harness_orion.commands import arguments
from harness_orion.reading.frontend import read_body
from harness_orion.space import Grid

CASES = Path(__file__).parent / "cases"
KNOWN = {case["name"]: case for case in json.loads((CASES / "expected.json").read_text())["cases"]}
RANK = ["serial", "unimodular", "2d", "1d", "independent"]
WHERE = {
    "space": (Where.SPACE,),
    "time(rotated)": (Where.TIME,),
    "server": (Where.SERVER,),
    "replicated": (Where.REPLICATED,),
    "halo": (Where.SERVER,),
}


def module() -> Any:
    spec = importlib.util.spec_from_file_location("loops", CASES / "loops.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


LOOPS = module()


def planned(name: str, mode: Any, **changed: Any) -> Plan:
    case = KNOWN[name] | changed
    function = getattr(LOOPS, name)
    facts = arguments(function, {n: tuple(s) for n, s in case["arrays"].items()})
    shape = tuple(case["iteration_shape"])
    body = read_body(function, ndim=len(shape), arguments=facts)
    space = Grid(shape, tuple(case.get("key_offset", ())))
    return make_plan(body, space, ordered=case.get("ordered", False), mode=mode)


@pytest.mark.parametrize("name", KNOWN)
def test_the_papers_rules_give_the_known_plan(name: str) -> None:
    case, plan = KNOWN[name], planned(name, "paper")
    assert plan.strategy == case["strategy"]
    vectors = {tuple(c.value if isinstance(c, Free) else c for c in d.vector) for d in plan.dependences}
    assert vectors == {tuple(v) for v in case["paper_vectors"]}
    assert set(plan.body.accumulators) == set(case.get("accumulators", ()))
    assert {n: a[0] for n, a in plan.body.buffers.items()} == case.get("buffers", {})


@pytest.mark.parametrize("name", [n for n, case in KNOWN.items() if "space_dim" in case])
def test_dimensions_are_those_that_move_least(name: str) -> None:
    plan = planned(name, "paper")
    assert (plan.space_dim, plan.time_dim) == (KNOWN[name]["space_dim"], KNOWN[name]["time_dim"])


def test_a_one_dimensional_plan_divides_the_dimension_without_dependences() -> None:
    assert [planned("row_sum", "paper").space_dim] == KNOWN["row_sum"]["dims"]


@pytest.mark.parametrize("name", [n for n, case in KNOWN.items() if "placement" in case])
@pytest.mark.parametrize("mode", ["paper", "exact"])
def test_arrays_are_placed_as_known(name: str, mode: str) -> None:
    plan = planned(name, mode)
    for array, said in KNOWN[name]["placement"].items():
        found = plan.placement(array)
        allowed = [w for word, places in WHERE.items() for w in places if word in said]
        assert found.where in allowed, (array, said)
        assert bool(found.buffers) == ("buffer" in said)


@pytest.mark.parametrize("name", KNOWN)
def test_exact_sets_only_allow_more(name: str) -> None:
    assert RANK.index(planned(name, "exact").strategy) >= RANK.index(planned(name, "paper").strategy)


def test_the_transformations_are_the_known_ones() -> None:
    as_lists = lambda plan: [list(row) for row in plan.transform]  # noqa: E731
    assert as_lists(planned("gauss_seidel9", "paper")) == KNOWN["gauss_seidel9"]["transform"]
    assert as_lists(planned("transposed", "exact")) == KNOWN["transposed"]["exact_transform"]


def test_the_larger_array_stays_whichever_it_is() -> None:
    turned = planned("mf_sgd", "exact", iteration_shape=[8, 12], arrays={"W": [8, 4], "H": [12, 4]})
    assert (turned.space_dim, turned.time_dim) == (1, 0)


def test_without_its_buffer_lda_is_serial() -> None:
    function = LOOPS.lda
    text = Path(CASES / "loops.py").read_text()
    assert "topic_total_buf[new] += 1" in text
    from harness_orion.audit.loops import compiled

    direct = text.replace("topic_total, topic_total_buf):", "topic_total):").replace("topic_total_buf[", "topic_total[")
    loop = compiled(direct, function.__name__)
    facts = arguments(loop, {n: tuple(s) for n, s in KNOWN["lda"]["arrays"].items()})
    plan = make_plan(read_body(loop, ndim=2, arguments=facts), Grid((6, 7)))
    assert plan.strategy == "serial"
    assert plan.collision is not None
    assert plan.collision.dependence.array == "topic_total"


def test_an_ordered_loop_without_carried_dependences_is_independent() -> None:
    assert planned("matrix_add", "paper", ordered=True).strategy == "independent"
