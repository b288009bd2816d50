"""Expressions: what each one may be, and which array memory it reads."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import singledispatch
from itertools import repeat
from typing import Any

import numpy as np

from harness_orion.reading.accesses import ArrayFacts
from harness_orion.reading.affine import Affine
from harness_orion.reading.frame import Frame
from harness_orion.reading.values import FRESH, Kind, Known, Value, join, packed, union

NUMBERS = (bool, int, float, complex, str, type(None), np.integer, np.floating, np.bool_)


@singledispatch
def evaluate(node: ast.AST, frame: Frame) -> Value:
    """What an expression may be; its reads are recorded on the way."""
    frame.refuse(node, f"{_called(node)} is not supported in a loop body", "write plain statements and expressions")


def _called(node: ast.AST) -> str:
    return {"Lambda": "a lambda", "Await": "await", "JoinedStr": "an f-string"}.get(
        type(node).__name__, type(node).__name__.lower()
    )


def number(value: object, frame: Frame) -> Value:
    """A number that is known beforehand."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return Value(affine=Affine.of(int(value), frame.log.ndim))
    return Value(truth=isinstance(value, bool | np.bool_))


def evaluate_all(nodes: Iterable[ast.expr], frame: Frame) -> list[Value]:
    """Several expressions, in order."""
    return [evaluate(node, frame) for node in nodes]


@evaluate.register
def _constant(node: ast.Constant, frame: Frame) -> Value:
    return number(node.value, frame)


@evaluate.register
def _name(node: ast.Name, frame: Frame) -> Value:
    value = refer(node, frame)
    if value.kind is Kind.ACCUMULATOR:
        frame.refuse(node, f"the accumulator {node.id} is read", "only add to it: it is complete after the loop")
    if value.kind is Kind.BUFFER:
        frame.refuse(node, f"the buffer {node.id} is used as a whole", "use its elements: " + f"{node.id}[...]")
    frame.read_whole(node, value)
    return value


def refer(node: ast.expr, frame: Frame) -> Value:
    """An expression that is only given another name or indexed further: a name alone reads nothing yet."""
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return refer(node.value, frame).transposed()
    if isinstance(node, ast.Tuple):
        return packed(tuple(plain(_unstarred(item, frame), frame) for item in node.elts))
    if not isinstance(node, ast.Name):
        return evaluate(node, frame)
    value = frame.lookup(node)
    if value.known is not None and isinstance(value.known.thing, NUMBERS):
        return number(value.known.thing, frame)
    return value


def plain(node: ast.expr, frame: Frame) -> Value:
    """An expression that is kept under another name, or in a tuple: buffers and accumulators only go by their own."""
    value = refer(node, frame)
    if value.kind in (Kind.BUFFER, Kind.ACCUMULATOR):
        frame.refuse(
            node, f"another name for the {value.kind.value} {value.name}", "use its own, or copy what it holds"
        )
    return value


@evaluate.register
def _tuple(node: ast.Tuple, frame: Frame) -> Value:
    return packed(tuple(evaluate_all([_unstarred(item, frame) for item in node.elts], frame)))


@evaluate.register(ast.List)
@evaluate.register(ast.Set)
def _display(node: ast.List | ast.Set, frame: Frame) -> Value:
    items = evaluate_all([_unstarred(item, frame) for item in node.elts], frame)
    return Value(views=union(*items), kind=Kind.CONTAINER)


def _unstarred(node: ast.expr, frame: Frame) -> ast.expr:
    if isinstance(node, ast.Starred):
        frame.refuse(node, "a starred expression is not supported", "name each item")
    return node


@evaluate.register
def _dict(node: ast.Dict, frame: Frame) -> Value:
    if None in node.keys:
        frame.refuse(node, "unpacking into a dict is not supported", "name each key")
    items = evaluate_all([*(k for k in node.keys if k is not None), *node.values], frame)
    return Value(views=union(*items), kind=Kind.CONTAINER)


@evaluate.register
def _unary(node: ast.UnaryOp, frame: Frame) -> Value:
    value = evaluate(node.operand, frame)
    if isinstance(node.op, ast.Not):
        return Value(truth=True)
    if value.affine is not None and isinstance(node.op, ast.USub | ast.UAdd):
        return Value(affine=-value.affine if isinstance(node.op, ast.USub) else value.affine)
    return Value(truth=value.truth)


@evaluate.register
def _binary(node: ast.BinOp, frame: Frame) -> Value:
    return combine(node.op, evaluate(node.left, frame), evaluate(node.right, frame))


def combine(op: ast.operator, a: Value, b: Value) -> Value:
    """An arithmetic result: affine where it can be; a new array or number else, or a list of what both held."""
    if Kind.CONTAINER in (a.kind, b.kind):
        return Value(views=union(a, b), kind=Kind.CONTAINER)
    if a.affine is not None and b.affine is not None:
        return Value(affine=affine_result(op, a.affine, b.affine))
    return Value(truth=a.truth and b.truth)


def affine_result(op: ast.operator, a: Affine, b: Affine) -> Affine | None:
    """The sum, difference, or product with a constant; constants also divide."""
    if isinstance(op, ast.Add):
        return a + b
    if isinstance(op, ast.Sub):
        return a - b
    if isinstance(op, ast.Mult) and (a.is_constant or b.is_constant):
        return b.scaled(a.constant) if a.is_constant else a.scaled(b.constant)
    if a.is_constant and b.is_constant and b.constant:
        if isinstance(op, ast.FloorDiv):
            return Affine.of(a.constant // b.constant, len(a.coefficients))
        if isinstance(op, ast.Mod):
            return Affine.of(a.constant % b.constant, len(a.coefficients))
    return None


@evaluate.register
def _choice(node: ast.IfExp, frame: Frame) -> Value:
    evaluate(node.test, frame)
    with frame.guarded():
        return join(evaluate(node.body, frame), evaluate(node.orelse, frame))


@evaluate.register
def _either(node: ast.BoolOp, frame: Frame) -> Value:
    value = evaluate(node.values[0], frame)
    with frame.guarded():
        for other in node.values[1:]:
            value = join(value, evaluate(other, frame))
    return value


@evaluate.register
def _comparison(node: ast.Compare, frame: Frame) -> Value:
    evaluate_all([node.left, *node.comparators], frame)
    return Value(truth=True)


@evaluate.register
def _slice(node: ast.Slice, frame: Frame) -> Value:
    evaluate_all([n for n in (node.lower, node.upper, node.step) if n is not None], frame)
    return FRESH


@evaluate.register
def _attribute(node: ast.Attribute, frame: Frame) -> Value:
    value = refer(node.value, frame)
    if value.known is not None and hasattr(value.known.thing, node.attr):
        return _member(getattr(value.known.thing, node.attr), value, frame)
    if node.attr in ("shape", "ndim", "size", "dtype", "nbytes", "itemsize"):
        return _extent(node.attr, value, frame)
    if node.attr not in ("T", "flat", "real", "imag"):
        frame.refuse(node, f"the attribute .{node.attr} is not supported", "index the array, or call a known function")
    for view in value.arrays:
        frame.record(node, view, "read")
    return value.transposed() if node.attr == "T" else value.element()


def _member(found: Any, value: Value, frame: Frame) -> Value:
    if isinstance(found, NUMBERS):
        return number(found, frame)
    return Value(views=value.views, known=Known(found))


def _extent(name: str, value: Value, frame: Frame) -> Value:
    whole = [v for v in value.arrays if v.is_whole]
    facts = frame.log.arguments.get(whole[0].array) if len(whole) == len(value.views) == 1 else None
    if not isinstance(facts, ArrayFacts):
        return FRESH
    if name == "shape":
        return packed(tuple(number(n, frame) for n in facts.shape))
    return number({"ndim": len(facts.shape), "size": facts.elements}.get(name), frame)


@evaluate.register(ast.ListComp)
@evaluate.register(ast.SetComp)
@evaluate.register(ast.GeneratorExp)
@evaluate.register(ast.DictComp)
def _comprehension(node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, frame: Frame) -> Value:
    outer = dict(frame.env or {})
    with frame.repeated():
        for clause in node.generators:
            bind_unknown(clause.target, evaluate(clause.iter, frame), frame)
            evaluate_all(clause.ifs, frame)
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        items = evaluate_all(parts, frame)
    frame.env = outer
    return Value(views=union(*items), kind=Kind.CONTAINER)


def bind_unknown(target: ast.expr, iterated: Value, frame: Frame) -> None:
    """Give a loop's target a value that may be any of what is iterated over."""
    if isinstance(target, ast.Tuple | ast.List):
        for item, value in zip(target.elts, repeat(iterated), strict=False):
            bind_unknown(item, value, frame)
        return
    if not isinstance(target, ast.Name):
        frame.refuse(target, "a loop's target must be a name", "assign to the array inside the loop")
    assert frame.env is not None
    frame.env[target.id] = iterated.element()
