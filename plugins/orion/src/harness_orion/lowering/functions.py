"""NumPy's functions on numbers and rows."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness_orion.lowering.expressions import combined, numeric, value
from harness_orion.lowering.ir import Const, Expr, Op
from harness_orion.lowering.numbers import binary, number, truth, wrapped
from harness_orion.lowering.rows import (
    cast,
    count_up,
    dot,
    elementwise,
    extreme,
    kept,
    operand,
    place_of_extreme,
    running,
    total,
)
from harness_orion.lowering.scope import Ref, Row, Scope, Thing
from harness_orion.lowering.stores import put
from harness_orion.lowering.types import FLOAT, Type, Unsupported, promoted

ARITHMETIC: dict[Any, ast.operator] = {
    np.add: ast.Add(),
    np.subtract: ast.Sub(),
    np.multiply: ast.Mult(),
    np.divide: ast.Div(),
    np.floor_divide: ast.FloorDiv(),
    np.power: ast.Pow(),
}


ROUNDED = ["exp", "log", "log1p", "expm1", "sin", "cos", "tan", "tanh", "log2", "log10"]


SAME = ["sqrt", "floor", "ceil"]


FOLDS: dict[str, Callable[[Scope, Row], Thing]] = {
    "sum": lambda scope, row: total(scope.shared, row),
    "mean": lambda scope, row: mean(scope, row),
    "max": lambda scope, row: extreme(scope.shared, row, ">"),
    "min": lambda scope, row: extreme(scope.shared, row, "<"),
    "argmax": lambda scope, row: place_of_extreme(scope.shared, row, ">"),
    "argmin": lambda scope, row: place_of_extreme(scope.shared, row, "<"),
    "cumsum": lambda scope, row: running(scope.shared, row),
    "copy": lambda scope, row: kept(scope.shared, row),
}


def mean(scope: Scope, row: Row) -> Thing:
    """The mean of a row."""
    of = row.expr.type if row.expr.type.kind == "f" else FLOAT
    found = total(scope.shared, Row(cast(row.expr, of), row.low, row.length))
    return binary(scope.shared, ast.Div(), found, Const(of.dtype.type(row.length), Type(of.dtype)))


def row_of(thing: Thing) -> Row:
    """A value that must be a row."""
    found = operand(thing)
    if not isinstance(found, Row):
        raise Unsupported("a number where a row is needed")
    return found


def ufunc(node: ast.Call, function: np.ufunc, options: Mapping[str, ast.expr], scope: Scope) -> Thing:
    """A universal function: element by element, into a new row or into ``out``."""
    args = [numeric(a, scope) for a in node.args[: function.nin]]
    found = _applied(function, args, scope)
    if extra := [*node.args[function.nin :], *(options[k] for k in options if k == "out")]:
        place = value(extra[0], scope)
        ref = place.ref if isinstance(place, Row) else place
        if not isinstance(ref, Ref) or len(extra) > 1 or set(options) - {"out"}:
            raise Unsupported(f"the options of np.{function.__name__}")
        if (found.expr if isinstance(found, Row) else found).type.kind != ref.type.kind:
            raise Unsupported("a result that would change its type in place")
        put(ref, found, scope)
        return ref
    if options:
        raise Unsupported(f"the options of np.{function.__name__}")
    return found


def _applied(function: np.ufunc, args: list[Expr | Row], scope: Scope) -> Expr | Row:
    if function in ARITHMETIC and len(args) == 2:
        return _strong(combined(scope, ARITHMETIC[function], *args))
    return elementwise(scope.shared, args, lambda xs: _pointwise(function.__name__, xs, scope))


def _strong(found: Expr | Row) -> Expr | Row:
    """A ufunc gives NumPy's numbers, also for Python's."""
    if isinstance(found, Row) or not found.type.weak:
        return found
    return (
        cast(found, Type(found.type.dtype)) if isinstance(found, Const) else Op("{0}", (found,), Type(found.type.dtype))
    )


def _pointwise(name: str, args: list[Expr], scope: Scope) -> Expr:
    of = promoted(*(a.type for a in args))
    strong = Type(of.dtype)
    if name in (*ROUNDED, *SAME):
        to = strong if of.kind == "f" else FLOAT
        if of.kind == "b" or of.dtype.itemsize < 4:
            raise Unsupported(f"np.{name} of {of.dtype}")
        scope.shared.rounded = scope.shared.rounded or name in ROUNDED
        return wrapped(Op(f"np.{name}({{0}})", (cast(args[0], to),), to), floats=True)
    if name == "absolute" and of.kind in "if":
        return wrapped(Op("abs({0})", (args[0],), strong))
    if name == "square" and of.kind != "b":
        return wrapped(Op("({0} * {0})", (args[0],), strong))
    if name in ("maximum", "minimum") and of.kind in "if":
        sign = ">" if name == "maximum" else "<"
        template = f"({{0}} if ({{0}} {sign} {{1}} or {{0}} != {{0}}) else {{1}})"
        return Op(template, tuple(cast(a, strong) for a in args), strong)
    raise Unsupported(f"np.{name}")


def function(name: str, given: list[Thing], scope: Scope) -> Thing:
    """Another function of NumPy, by its name."""
    if name in ("zeros", "ones", "empty", "arange") and len(given) == 1 and isinstance(given[0], Const):
        length = int(given[0].value)
        if name == "arange":
            return count_up(0, length)
        return kept(scope.shared, Row(Const(float(name == "ones"), FLOAT), 0, length))
    if name == "full" and len(given) == 2 and isinstance(given[0], Const):
        of = operand(given[1])
        if not isinstance(of, Row):
            return kept(scope.shared, Row(scope.shared.bind(of), 0, int(given[0].value)))
    if name in ("zeros_like", "ones_like", "empty_like") and len(given) == 1:
        like = row_of(given[0])
        return kept(
            scope.shared, Row(cast(number(int(name == "ones_like")), Type(like.expr.type.dtype)), 0, like.length)
        )
    if name in ("dot", "inner") and len(given) == 2:
        return dot(scope.shared, row_of(given[0]), row_of(given[1]))
    if name in FOLDS and len(given) == 1:
        return FOLDS[name](scope, row_of(given[0]))
    if name == "where" and len(given) == 3:
        return _where([operand(g) for g in given], scope)
    if name == "clip" and len(given) == 3:
        low = _applied(np.maximum, [operand(given[0]), operand(given[1])], scope)
        return _applied(np.minimum, [low, operand(given[2])], scope)
    raise Unsupported(f"np.{name}")


def _where(things: list[Expr | Row], scope: Scope) -> Expr | Row:
    def chosen(xs: list[Expr]) -> Expr:
        of = promoted(xs[1].type, xs[2].type)
        strong = Type(of.dtype)
        return Op("({1} if {0} else {2})", (truth(xs[0]), cast(xs[1], strong), cast(xs[2], strong)), strong)

    return elementwise(scope.shared, things, chosen)
