"""Statements: how what is known of each name changes, and which array memory is written."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import singledispatch
from itertools import count

from harness_orion.reading.expressions import bind_unknown, combine, evaluate, plain
from harness_orion.reading.frame import Exits, Frame
from harness_orion.reading.references import locate
from harness_orion.reading.values import Env, Kind, Value, join_envs

SETTLED = 4


@singledispatch
def run(node: ast.AST, frame: Frame) -> None:
    """Go through one statement."""
    frame.refuse(node, f"{_called(node)} is not supported in a loop body", "use assignments, if, for and while")


def _called(node: ast.AST) -> str:
    names = {"FunctionDef": "a nested function", "ClassDef": "a class", "AnnAssign": "an annotated assignment"}
    return names.get(type(node).__name__, type(node).__name__.lower())


def run_all(nodes: Sequence[ast.stmt], frame: Frame) -> None:
    """Go through statements in order, as far as execution arrives."""
    for node in nodes:
        if frame.env is None:
            return
        run(node, frame)


@run.register
def _pass(_node: ast.Pass, _frame: Frame) -> None:
    return


@run.register
def _expression(node: ast.Expr, frame: Frame) -> None:
    evaluate(node.value, frame)


@run.register
def _assert(node: ast.Assert, frame: Frame) -> None:
    evaluate(node.test, frame)


@run.register(ast.Global)
@run.register(ast.Nonlocal)
def _outside(node: ast.Global | ast.Nonlocal, frame: Frame) -> None:
    names = ", ".join(node.names)
    frame.refuse(node, f"{names}: a variable from outside is assigned to", "pass an Accumulator or a DistArray instead")


@run.register
def _assignment(node: ast.Assign, frame: Frame) -> None:
    value = plain(node.value, frame)
    for target in node.targets:
        assign(target, value, frame)


def assign(target: ast.expr, value: Value, frame: Frame) -> None:
    """Give a name, several names, or an element a value."""
    if isinstance(target, ast.Name):
        _bind(target, value, frame)
    elif isinstance(target, ast.Tuple | ast.List):
        _unpack(target, value, frame)
    elif isinstance(target, ast.Subscript):
        _store(target, value, frame)
    else:
        frame.refuse(target, "this target of an assignment is not supported", "assign to names and elements")


def _bind(target: ast.Name, value: Value, frame: Frame) -> None:
    assert frame.env is not None
    before = frame.env.get(target.id)
    if before is not None and before.kind in (Kind.BUFFER, Kind.ACCUMULATOR):
        frame.refuse(target, f"the {before.kind.value} {target.id} is replaced", "use another name")
    frame.env[target.id] = value
    if value.affine is not None and value.affine.dim is not None and not value.affine.constant and not frame.callers:
        frame.log.index_names.setdefault(value.affine.dim, target.id)


def _unpack(target: ast.Tuple | ast.List, value: Value, frame: Frame) -> None:
    if value.items is not None and len(value.items) != len(target.elts):
        frame.refuse(target, f"{len(value.items)} values for {len(target.elts)} names", "name each one")
    items = value.items if value.items is not None else (value.element(),) * len(target.elts)
    for part, item in zip(target.elts, items, strict=True):
        assign(part, item, frame)


def _store(target: ast.Subscript, value: Value, frame: Frame) -> None:
    base, _ = locate(target, frame)
    if base.kind is Kind.ACCUMULATOR:
        frame.refuse(target, f"the accumulator {base.name} is set", "only add to it")
    if base.kind is Kind.BUFFER:
        frame.log.buffers[str(base.name)] = None
    else:
        if base.kind is Kind.CONTAINER:
            _keep(target, value, frame)
        frame.mutate(target, base)


def _keep(node: ast.AST, value: Value, frame: Frame) -> None:
    if value.views:
        frame.refuse(node, "memory of an array is kept in a container that changes", "keep a copy: A[i].copy()")


@run.register
def _augmented(node: ast.AugAssign, frame: Frame) -> None:
    value = evaluate(node.value, frame)
    if isinstance(node.target, ast.Name):
        _augment_name(node, node.target, value, frame)
    elif isinstance(node.target, ast.Subscript):
        _augment_element(node, node.target, value, frame)
    else:
        frame.refuse(node, "this target of an assignment is not supported", "assign to names and elements")


def _augment_name(node: ast.AugAssign, target: ast.Name, value: Value, frame: Frame) -> None:
    before = frame.lookup(target)
    assert frame.env is not None
    if before.kind is Kind.ACCUMULATOR:
        _accumulate(node, before, frame)
    elif before.views or before.kind is Kind.BUFFER:
        frame.mutate(target, before, reads=True)
        frame.env[target.id] = replace(before, affine=None, items=None)
    else:
        if before.kind is Kind.CONTAINER:
            _keep(node, value, frame)
        frame.env[target.id] = combine(node.op, before, value)


def _accumulate(node: ast.AugAssign, accumulator: Value, frame: Frame) -> None:
    if not isinstance(node.op, ast.Add | ast.Sub):
        frame.refuse(node, "accumulators only take += and -=", "use an array, or combine after the loop")
    frame.log.accumulators[str(accumulator.name)] = None


def _augment_element(node: ast.AugAssign, target: ast.Subscript, value: Value, frame: Frame) -> None:
    base, _ = locate(target, frame)
    if base.kind is Kind.ACCUMULATOR:
        _accumulate(node, base, frame)
    elif base.kind is Kind.BUFFER:
        frame.log.buffers[str(base.name)] = None
    else:
        if base.kind is Kind.CONTAINER:
            _keep(node, value, frame)
        frame.mutate(target, base, reads=True)


@run.register
def _branch(node: ast.If, frame: Frame) -> None:
    evaluate(node.test, frame)
    entry = frame.env
    assert entry is not None
    leaves = []
    with frame.guarded():
        for arm in (node.body, node.orelse):
            frame.env = dict(entry)
            run_all(arm, frame)
            leaves.append(frame.env)
    frame.merge(*leaves)


@run.register
def _for(node: ast.For, frame: Frame) -> None:
    iterated = evaluate(node.iter, frame)
    _loop(node, frame, lambda: bind_unknown(node.target, iterated, frame))


@run.register
def _while(node: ast.While, frame: Frame) -> None:
    _loop(node, frame, lambda: evaluate(node.test, frame))


def _loop(node: ast.For | ast.While, frame: Frame, begin: Callable[[], object]) -> None:
    """Go through a loop until what is known at its head stays the same; only then record."""
    head = frame.env
    with frame.repeated():
        with frame.muted():
            for turn in count():
                settled = join_envs(head, _turn(node, frame, head, begin)[0])
                if settled == head:
                    break
                head = _widened(head, settled) if turn >= SETTLED else settled
        _, exits = _turn(node, frame, head, begin)
    frame.env = dict(head) if head is not None else None
    if isinstance(node, ast.While):
        with frame.muted():
            evaluate(node.test, frame)
    run_all(node.orelse, frame)
    frame.merge(frame.env, *exits.breaks)


def _turn(
    node: ast.For | ast.While, frame: Frame, head: Env | None, begin: Callable[[], object]
) -> tuple[Env | None, Exits]:
    frame.env = dict(head or {})
    frame.exits.append(Exits())
    begin()
    run_all(node.body, frame)
    exits = frame.exits.pop()
    return join_envs(frame.env, *exits.continues), exits


def _widened(before: Env | None, after: Env | None) -> Env | None:
    """Give up on the form of what still changes."""
    known = before or {}
    return after and {
        name: value if known.get(name) == value else replace(value, affine=None, items=None)
        for name, value in after.items()
    }


@run.register
def _break(_node: ast.Break, frame: Frame) -> None:
    assert frame.env is not None
    frame.exits[-1].breaks.append(frame.env)
    frame.env = None


@run.register
def _continue(_node: ast.Continue, frame: Frame) -> None:
    assert frame.env is not None
    frame.exits[-1].continues.append(frame.env)
    frame.env = None


@run.register
def _return(node: ast.Return, frame: Frame) -> None:
    if node.value is not None:
        if not frame.callers:
            frame.refuse(node, "a loop body returns nothing", "write results to a DistArray or add to an Accumulator")
        frame.returned.append(plain(node.value, frame))
    else:
        frame.returned.append(Value())
    frame.env = None
    frame.may_have_left = True
