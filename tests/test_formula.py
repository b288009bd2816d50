"""Formulas against Python's own arithmetic, censoring against values that might have been, and bad text."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.formula import Bounds, Condition, Formula, parse_precondition

INF = math.inf


@pytest.mark.parametrize(
    "text, fulfil, fail",
    [
        ("<= 1.02", [1.02, -5, -INF], [1.0200001, INF]),
        (">=2", [2, INF], [1.999]),
        ("< 1e-3", [0, -1], [1e-3]),
        ("> -.5", [0], [-0.5]),
        ("0.98..1.02", [0.98, 1, 1.02], [0.97, 1.03]),
        ("-2 .. -1.", [-2, -1.5, -1], [0, -2.1]),
        (">= 0.95 in 4 of 5", [0.95], [0.9]),
    ],
)
def test_a_condition_is_met_by_the_numbers_it_says(text: str, fulfil: list[float], fail: list[float]) -> None:
    condition = Condition.parse(text)
    assert all(condition.met(value) for value in fulfil)
    assert not any(condition.met(value) for value in [*fail, math.nan])


def test_a_condition_of_counting_keeps_both_counts() -> None:
    assert (Condition.parse("<= 1 in 4 of 5").needed, Condition.parse("0..1 in 4 of 5").of) == (4, 5)


def test_a_named_condition_has_its_name() -> None:
    target = Condition.parse_named("accuracy >= 0.85")
    assert (target.name, target.text) == ("accuracy", "accuracy >= 0.85")
    assert target.met(0.9)
    assert not target.met(0.8)


MALFORMED = ["", "1", "=< 1", "<= x", "<= 1 or 2", "2..1", "1..", "..1", "<= 1e999", "<= nan", "<= 1 in 5 of 4"]
MALFORMED += ["<= 1 in 0 of 4", "<= 1 in 4", "== 1", "<= 1\n<= 2", "<= 1 in 4 of " + "9" * 5000]


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_condition_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(HarnessError, match=r"write .*'?in 4 of 5'"):
        Condition.parse(text)


@pytest.mark.parametrize("parse", [Condition.parse_named, parse_precondition])
def test_counting_is_refused_where_there_is_one_number(parse: Callable[[str], object]) -> None:
    with pytest.raises(HarnessError, match="counts pairs, and here is one number"):
        parse("accuracy >= 0.8 in 4 of 5")


conditions = st.sampled_from(["<= 1", ">= 1", "< 1", "> 1", "-1..1", "1..1"]).map(Condition.parse)
ends = st.floats(-3, 3) | st.sampled_from([-1.0, 1.0, -INF, INF])


@given(conditions, ends, ends)
def test_intervals_are_judged_as_all_their_points_are(condition: Condition, one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    grid = [low, high, *(x for x in (-2.5, -1.0, 0.0, 1.0, 1.5) if low <= x <= high)]
    met = [condition.met(x) for x in grid]
    assert condition.all_met(low, high) == all(met)
    assert not (condition.none_met(low, high) and any(met))
    assert condition.none_met(low, high) or low < high or any(met)
    assert condition.met(condition.worse(low, high)) == all(met)


def test_the_names_are_those_used_each_once() -> None:
    names = Formula.parse("a.x_1 * (b.y - a.x_1) / max(c.z, 1)").names
    assert sorted(names) == [("a", "x_1"), ("b", "y"), ("c", "z")]


@pytest.mark.parametrize(
    "text, quotient",
    [
        ("a.x / b.x", True),
        ("2 * a.x / (b.x + c.x)", True),
        ("a.x / 2", False),
        ("1 / a.x", False),
        ("a.x / b.x - 1", False),
        ("-(a.x / b.x)", False),
        ("a.x", False),
    ],
)
def test_a_quotient_divides_one_metric_by_another_at_the_top(text: str, quotient: bool) -> None:
    assert Formula.parse(text).is_quotient is quotient


REFUSED = ["", "a", "a.x /* b.x", "a.x.y", "a.x if 1 else 2", "lambda: 1", "a[0]", "__import__('os')", "open(a.x)"]
REFUSED += ["True", "1j", "'text'", "a.x; b.x", "a.x == b.x", "a.x // b.x", "a.x % 2", "+a.x", "min(a.x)", "min()"]
REFUSED += [
    "sqrt(a.x, 2)",
    "max(a.x, b.x, key=abs)",
    "min(*a.x)",
    "abs.x(a.x)",
    "1e999",
    "9" * 400,
    "f'{a.x}'",
    "[a.x]",
]
REFUSED += ["(" * 300, "(" * 60 + "a.x" + ")" * 300, "\0", "\ud800", "a.x\nb.x", "9" * 5000, "(a := 1)", "a.x @ b.x"]


@pytest.mark.parametrize("text", REFUSED)
def test_anything_but_arithmetic_is_refused(text: str) -> None:
    with pytest.raises(HarnessError, match=r"formula .*use alias\.metric"):
        Formula.parse(text)


def test_a_formula_nested_without_end_is_refused() -> None:
    for text in ("-" * 60 + "a.x", "-" * 100_000 + "a.x", "a.x" + "+1" * 60, "a.x" + "+1" * 20_000):
        with pytest.raises(HarnessError):
            Formula.parse(text)


def test_an_error_names_the_column() -> None:
    with pytest.raises(HarnessError, match="column 7"):
        Formula.parse("a.x + foo(b.x)")
    with pytest.raises(HarnessError, match="column 6"):
        Formula.parse("  a.x /* b.x")


scraps = st.lists(st.sampled_from([*"ab.x+-*/() ,<>=10e\n", "min", "log", "..", " in ", " of ", "**"]), max_size=15)


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=30) | scraps.map("".join))
@pytest.mark.parametrize("parse", [Formula.parse, Condition.parse, Condition.parse_named, parse_precondition])
def test_any_text_at_all_is_read_or_refused_in_one_line(parse: Callable[[str], object], text: str) -> None:
    try:
        parse(text)
    except HarnessError as error:
        assert "\n" not in str(error)


NAMES = ("a.x", "a.y", "b.x")
numbers = st.floats(-5, 5).map(lambda x: round(x, 2))


def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
    power = st.tuples(inner, st.sampled_from(["2", "3", "0.5", "(-1)"])).map(lambda t: f"{t[0]} ** {t[1]}")
    one = st.tuples(st.sampled_from(["-", "abs", "log", "sqrt"]), inner).map(lambda t: f"{t[0]}({t[1]})")
    two = st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})")
    return binary | power.map(lambda text: f"({text})") | one | two


expressions = st.recursive(st.sampled_from(NAMES) | numbers.map(lambda x: f"({x})"), grow, max_leaves=6)


def by_python(text: str, values: dict[str, float]) -> float:
    """What Python makes of the same text; complex numbers and errors are no value."""

    def real_abs(x: float | complex) -> float:
        return math.nan if isinstance(x, complex) else abs(x)

    scope = {"abs": real_abs, "min": min, "max": max, "log": math.log, "sqrt": math.sqrt, "__builtins__": {}}
    for alias in "ab":
        scope[alias] = SimpleNamespace(**{n[2:]: v for n, v in values.items() if n[0] == alias})
    try:
        result = eval(text, scope)
    except (ArithmeticError, ValueError, TypeError):
        return math.nan
    return math.nan if isinstance(result, complex) else float(result)


@settings(max_examples=500, deadline=None)
@given(expressions, st.fixed_dictionaries(dict.fromkeys(NAMES, numbers)))
def test_a_formula_evaluates_as_python_does(text: str, values: dict[str, float]) -> None:
    expected = by_python(text, values)
    assume(not ("abs" in text and math.isnan(expected)))
    found = Formula.parse(text).evaluate(values)
    assert found == expected or (math.isnan(found) and math.isnan(expected)), text


def test_what_has_no_value_is_nan() -> None:
    values = {"a.x": 0.0, "a.big": 1e200}
    for text in ("1 / a.x", "log(a.x)", "(a.x - 1) ** 0.5", "sqrt(a.x - 1)", "a.none", "max(1, a.none)", "a.big ** 2"):
        assert math.isnan(Formula.parse(text).evaluate(values)), text


@settings(max_examples=200, deadline=None)
@given(
    expressions,
    st.fixed_dictionaries(dict.fromkeys(NAMES, numbers)),
    st.sets(st.sampled_from(NAMES), min_size=1),
    st.lists(st.lists(st.floats(0, 1) | st.floats(0, 1e6), min_size=3, max_size=3), min_size=8, max_size=8),
)
def test_bounds_hold_whatever_the_unreached_values_might_have_been(
    text: str, values: dict[str, float], censored: set[str], beyond: list[list[float]]
) -> None:
    formula = Formula.parse(text)
    known: dict[str, float | Bounds] = {n: (v, INF) if n in censored else v for n, v in values.items()}
    bounds = formula.bounds(known)
    for extra in [[0.0, 0.0, 0.0], *beyond]:
        true = {n: v + more * (n in censored) for (n, v), more in zip(values.items(), extra, strict=True)}
        value = formula.evaluate(true)
        if not math.isnan(value):
            assert bounds is not None
            slack = 1e-9 * (1 + abs(value))
            assert bounds[0] - slack <= value <= bounds[1] + slack, (text, true)


@pytest.mark.parametrize(
    "text, values, bounds",
    [
        ("a.x / b.x", {"a.x": (6, INF), "b.x": 3}, (2, INF)),
        ("a.x / b.x", {"a.x": 6, "b.x": (3, INF)}, (0, 2)),
        ("a.x / b.x", {"a.x": (6, INF), "b.x": (3, INF)}, (0, INF)),
        ("a.x - b.x", {"a.x": 6, "b.x": (3, INF)}, (-INF, 3)),
        ("1 - b.x / a.x", {"a.x": (6, INF), "b.x": 3}, (0.5, 1)),
        ("(a.x + 1) / b.x", {"a.x": 5, "b.x": (3, INF)}, (0, 2)),
        ("abs(a.x - 5)", {"a.x": (2, INF)}, (0, INF)),
        ("1 / (a.x - 5)", {"a.x": (2, INF)}, (-INF, INF)),
        ("log(a.x)", {"a.x": (1, INF)}, (0, INF)),
        ("min(a.x, b.x)", {"a.x": (2, INF), "b.x": 7}, (2, 7)),
        ("a.x * b.x", {"a.x": (2, INF), "b.x": 0}, (0, 0)),
        ("0 * log(a.x)", {"a.x": (0, INF)}, (-INF, INF)),
        ("2 ** -a.x", {"a.x": (1, INF)}, (0, 0.5)),
        ("a.x / (b.x - b.x)", {"a.x": 1, "b.x": 2}, None),
    ],
)
def test_bounds_are_the_ends_that_limits_reach(text: str, values: dict[str, float | Bounds], bounds: Bounds) -> None:
    assert Formula.parse(text).bounds(values) == bounds


@pytest.mark.parametrize(
    "text, censored, unreached",
    [
        ("a.x / b.x", "ab", True),
        ("a.x / b.x", "a", False),
        ("a.x / b.x", "b", False),
        ("a.x - b.x", "ab", True),
        ("a.x", "a", False),
        ("a.x / b.x * c.x", "ab", False),
    ],
)
def test_nothing_was_reached_only_where_no_side_was(text: str, censored: str, unreached: bool) -> None:
    values: dict[str, float | Bounds] = {f"{alias}.x": (1.0, INF) if alias in censored else 1.0 for alias in "abc"}
    assert Formula.parse(text).unreached(values) is unreached


def test_a_precondition_is_a_formula_and_its_condition() -> None:
    formula, condition = parse_precondition("b.accuracy - a.accuracy >= -0.01")
    assert set(formula.names) == {("a", "accuracy"), ("b", "accuracy")}
    assert condition.met(formula.evaluate({"a.accuracy": 0.8, "b.accuracy": 0.8}))
    with pytest.raises(HarnessError, match=r"write 'b\.final_accuracy >= 0\.8'"):
        parse_precondition("b.accuracy")
