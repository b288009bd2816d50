"""What a ``for`` of the body runs over: a range, or the elements of rows."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

from harness_orion.lowering.expressions import scalar, value
from harness_orion.lowering.ir import Const, Elem, Expr, Op, Var
from harness_orion.lowering.numbers import number
from harness_orion.lowering.rows import as_row, kept
from harness_orion.lowering.scope import Items, Object, Ref, Row, Scope, Thing
from harness_orion.lowering.types import WEAK_INT, Unsupported


@dataclass(frozen=True)
class Head:
    """The head of a loop, as text over operands, and what its target is in each turn."""

    text: str
    operands: tuple[Expr, ...]
    item: Callable[[Scope], Thing]


def opened(node: ast.For, scope: Scope) -> Head:
    """Lower what a ``for`` runs over."""
    if isinstance(node.iter, ast.Call) and isinstance(node.iter.func, ast.Name):
        function = value(node.iter.func, scope)
        if isinstance(function, Object) and function.thing is range and not node.iter.keywords:
            return _range([scalar(a, scope) for a in node.iter.args], scope)
        if isinstance(function, Object) and function.thing in (zip, enumerate) and not node.iter.keywords:
            rows = [_row(value(a, scope), scope) for a in node.iter.args]
            return _rows(rows, scope, counted=function.thing is enumerate)
    return _rows([_row(value(node.iter, scope), scope)], scope, single=True)


def _range(bounds: list[Expr], scope: Scope) -> Head:
    if any(b.type.kind not in "iu" for b in bounds) or not 1 <= len(bounds) <= 3:
        raise Unsupported("a range of other than integers")
    low, high, step = {1: [number(0), *bounds, number(1)], 2: [*bounds, number(1)], 3: bounds}[len(bounds)]
    if not isinstance(step, Const) or not step.value:
        raise Unsupported("a range whose step is not known before")
    target = Var(scope.shared.fresh("n"), WEAK_INT)
    a, b = scope.shared.span(low), scope.shared.span(high)
    if a is not None and b is not None:
        ends = (a[0], max(a[0], b[1] - 1)) if step.value > 0 else (min(a[1], b[0] + 1), a[1])
        scope.shared.know(target, None, ends)
    text = (
        f"for {target.name} in range({{0}}, {{1}}, {{2}}):"
        if step.value != 1
        else (f"for {target.name} in range({{0}}, {{1}}):")
    )
    held = tuple(b if isinstance(b, Const) else scope.shared.bind(b) for b in (low, high, step))
    return Head(text, held, lambda _: target)


def _row(thing: Thing, scope: Scope) -> Ref:
    if isinstance(thing, Ref) and len(thing.order) == 1:
        return thing
    if isinstance(thing, Row):
        found = (thing if thing.ref is not None else kept(scope.shared, thing)).ref
        assert found is not None
        return found
    raise Unsupported("a loop over other than a range, or rows")


def _rows(rows: list[Ref], scope: Scope, *, counted: bool = False, single: bool = False) -> Head:
    turn = Var(scope.shared.fresh("n"), WEAK_INT)
    length = min(r.shape[0] for r in rows)
    scope.shared.know(turn, None, (0, max(0, length - 1)))

    def item(scope: Scope) -> Thing:
        found = [scope.shared.bind(_element(r, turn, scope)) for r in rows]
        if single:
            return found[0]
        return Items((turn, *found) if counted else tuple(found))

    return Head(f"for {turn.name} in range({length}):", (), item)


def _element(ref: Ref, turn: Var, scope: Scope) -> Elem:
    row = as_row(ref)
    place = Var(turn.name, WEAK_INT)
    if row.low:
        moved = scope.shared.bind(Op(f"({{0}} + {row.low})", (turn,), WEAK_INT))
        assert isinstance(moved, Var)
        place = moved
    return Elem(ref.array, tuple(a if isinstance(a, str) else place.name for a in ref.axes), ref.type)
