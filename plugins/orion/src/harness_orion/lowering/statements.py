"""Statements of a body, lowered."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import singledispatch

from harness_orion.lowering.expressions import scalar, value
from harness_orion.lowering.ir import Branch, Check, Elem, Jump, Op, Repeat, Var
from harness_orion.lowering.numbers import truth
from harness_orion.lowering.ranges import opened
from harness_orion.lowering.scope import Items, Poison, Scope, Thing, joined, same
from harness_orion.lowering.stores import assign, augment_element, augment_name, settled
from harness_orion.lowering.types import WEAK_BOOL, Unsupported


@singledispatch
def lower(node: ast.AST, _scope: Scope) -> None:
    """Lower one statement."""
    raise Unsupported(f"{type(node).__name__.lower()}")


def lower_all(nodes: Sequence[ast.stmt], scope: Scope) -> None:
    """Lower statements in order."""
    for node in nodes:
        if scope.returned:
            return
        try:
            lower(node, scope)
        except Unsupported as reason:
            said = str(reason)
            raise Unsupported(said if said.startswith("line ") else f"line {node.lineno}: {said}") from None


@lower.register
def _pass(_node: ast.Pass, _scope: Scope) -> None:
    return


@lower.register
def _expression(node: ast.Expr, scope: Scope) -> None:
    scope.shared.direct_call = isinstance(node.value, ast.Call)
    if not isinstance(node.value, ast.Constant):
        value(node.value, scope)


@lower.register
def _assert(node: ast.Assert, scope: Scope) -> None:
    said = f"AssertionError({ast.unparse(node.test)!r})"
    scope.shared.emit(Check(truth(scalar(node.test, scope)), said))


@lower.register
def _assignment(node: ast.Assign, scope: Scope) -> None:
    scope.shared.direct_call = isinstance(node.value, ast.Call)
    found = value(node.value, scope)
    if isinstance(found, Items) or len(node.targets) > 1:
        found = settled(found, scope)
    for target in node.targets:
        assign(target, found, scope)


@lower.register
def _augmented(node: ast.AugAssign, scope: Scope) -> None:
    if isinstance(node.target, ast.Name):
        augment_name(node, node.target, scope)
    elif isinstance(node.target, ast.Subscript):
        augment_element(node, node.target, scope)
    else:
        raise Unsupported("this target of an assignment")


@lower.register
def _branch(node: ast.If, scope: Scope) -> None:
    test = truth(scalar(node.test, scope))
    entry = scope.env
    arms, ends = [], []
    for nodes in (node.body, node.orelse):
        scope.env = dict(entry)
        with scope.shared.block() as arm:
            lower_all(nodes, scope)
        arms.append(arm)
        if not _leaves(nodes):
            ends.append(scope.env)
    if len(ends) == 2:
        scope.env = joined_both(entry, *ends)
    else:
        scope.env = ends[0] if ends else entry
    scope.shared.emit(Branch(test, arms[0], arms[1]))


def joined_both(entry: dict[str, Thing], a: dict[str, Thing], b: dict[str, Thing]) -> dict[str, Thing]:
    """What names stand for after two arms; one that only one arm knows may have no value."""
    found: dict[str, Thing] = {}
    for name in {**entry, **a, **b}:
        one, other = a.get(name), b.get(name)
        found[name] = other if same(one, other) else Poison(f"{name} differs between the arms of an if")
    return found


def _leaves(nodes: Sequence[ast.stmt]) -> bool:
    return bool(nodes) and isinstance(nodes[-1], ast.Break | ast.Continue | ast.Return)


def enter_loop(node: ast.For | ast.While, scope: Scope) -> dict[str, Thing]:
    """Forget the rows that the loop's own body gives a name: which one is meant depends on the turn."""
    if node.orelse:
        raise Unsupported("else after a loop")
    stored = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for name in stored & scope.env.keys():
        if not isinstance(scope.env[name], Var):
            scope.env[name] = Poison(f"{name} depends on the turn of a loop")
    before = scope.env
    scope.env = dict(before)
    return before


@lower.register
def _while(node: ast.While, scope: Scope) -> None:
    before = enter_loop(node, scope)
    with scope.shared.block() as turn:
        test = truth(scalar(node.test, scope))
        scope.shared.emit(Branch(Op("(not {0})", (test,), WEAK_BOOL), [Jump("break")]))
        scope.loops += 1
        lower_all(node.body, scope)
        scope.loops -= 1
    scope.env = joined(before, scope.env)
    scope.shared.emit(Repeat("while True:", (), turn))


@lower.register
def _for(node: ast.For, scope: Scope) -> None:
    head = opened(node, scope)
    before = enter_loop(node, scope)
    with scope.shared.block() as turn:
        assign_turn(node.target, head.item(scope), scope)
        scope.loops += 1
        lower_all(node.body, scope)
        scope.loops -= 1
    scope.env = joined(before, scope.env)
    scope.shared.emit(Repeat(head.text, head.operands, turn))


def assign_turn(target: ast.expr, item: Thing, scope: Scope) -> None:
    """Give a loop's target its value; it belongs to the turn alone."""
    if isinstance(target, ast.Name):
        if isinstance(item, Elem | Op):
            item = scope.shared.bind(item, target.id)
        scope.env[target.id] = item
    elif isinstance(target, ast.Tuple) and isinstance(item, Items) and len(item.items) == len(target.elts):
        for part, one in zip(target.elts, item.items, strict=True):
            assign_turn(part, one, scope)
    else:
        raise Unsupported("this target of a loop")


@lower.register
def _break(_node: ast.Break, scope: Scope) -> None:
    scope.shared.emit(Jump("break"))


@lower.register
def _continue(_node: ast.Continue, scope: Scope) -> None:
    scope.shared.emit(Jump("continue"))


@lower.register
def _return(node: ast.Return, scope: Scope) -> None:
    if scope.callers:
        if scope.shared.depth != scope.base_depth:
            raise Unsupported(f"{scope.function.__name__} returns from inside an if or a loop")
        scope.returned.append(None if node.value is None else settled(value(node.value, scope), scope))
    elif scope.loops:
        raise Unsupported("a return from inside a loop")
    else:
        scope.shared.emit(Jump("continue"))
