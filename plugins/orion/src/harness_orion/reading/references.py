"""References ``A[...]``: the memory that they stand for, and what reading them gives."""

from __future__ import annotations

import ast

import numpy as np

from harness_orion.reading.accesses import ArrayFacts, BufferOf
from harness_orion.reading.expressions import evaluate, refer
from harness_orion.reading.frame import Frame
from harness_orion.reading.indexing import is_subscripted_array, subscript, view_of
from harness_orion.reading.values import FRESH, Captured, Kind, Value, View


@evaluate.register
def _subscripted(node: ast.Subscript, frame: Frame) -> Value:
    value, index = locate(node, frame)
    if value.kind is Kind.ACCUMULATOR:
        frame.refuse(node, f"the accumulator {value.name} is read", "only add to it: it is complete after the loop")
    if value.kind is Kind.BUFFER:
        return FRESH if _is_number(node, index, buffer_ndim(value, frame)) else Value(kind=Kind.BUFFER, name=value.name)
    if value.items is not None and index.affine is not None and index.affine.is_constant:
        if not -len(value.items) <= index.affine.constant < len(value.items):
            frame.refuse(
                node, f"index {index.affine.constant} of a tuple of {len(value.items)}", "use one that is there"
            )
        item = value.items[index.affine.constant]
        frame.read_whole(node, item)
        return item
    if value.kind is Kind.CONTAINER:
        frame.read_whole(node, value)
        return value.element()
    if value.known is not None and isinstance(value.known.thing, np.ndarray):
        table = value.known.thing
        views = frozenset() if _is_number(node, index, table.ndim) else value.views
        return Value(views=views, truth=table.dtype.kind == "b")
    return _element(node, value, frame)


def buffer_ndim(value: Value, frame: Frame) -> int:
    """How many axes a buffer has."""
    buffer = frame.log.arguments[str(value.name)]
    assert isinstance(buffer, BufferOf)
    facts = frame.log.arguments.get(buffer.target)
    return len(facts.shape) if isinstance(facts, ArrayFacts) else 0


def _is_number(node: ast.Subscript, index: Value, ndim: int) -> bool:
    """Whether a subscript takes one integer for each of some axes (or index arrays, which make a copy)."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    count = len(index.items) if index.items is not None else 1
    return count == ndim and not any(isinstance(p, ast.Slice | ast.Constant) and _is_wide(p) for p in parts)


def _is_wide(node: ast.Slice | ast.Constant) -> bool:
    return isinstance(node, ast.Slice) or node.value in (None, ...)


def _element(node: ast.Subscript, value: Value, frame: Frame) -> Value:
    kept: set[View | Captured] = {v for v in value.views if isinstance(v, Captured)}
    truth = False
    for view in value.arrays:
        frame.record(node, view, "read")
        facts = frame.log.arguments.get(view.array)
        truth = truth or (isinstance(facts, ArrayFacts) and facts.boolean)
        # A number is a copy: what is done to it later does not reach the array.
        if view.free != () or not isinstance(facts, ArrayFacts):
            kept.add(view)
    return Value(views=frozenset(kept), truth=truth)


def locate(node: ast.Subscript, frame: Frame) -> tuple[Value, Value]:
    """The memory that a subscripted expression stands for, and its subscript; nothing of it is read yet."""
    inner = node.value
    if isinstance(inner, ast.Subscript) and is_subscripted_array(inner, frame, refer):
        base = locate(inner, frame)[0]
    else:
        base = refer(inner, frame)
    index = _index(node.slice, frame)
    if base.kind is not Kind.PLAIN or not base.arrays:
        return base, index
    narrowed = frozenset(view_of(v, node, index, frame) if isinstance(v, View) else v for v in base.views)
    return Value(views=narrowed), index


def _index(node: ast.expr, frame: Frame) -> Value:
    if isinstance(node, ast.Tuple):
        return Value(items=tuple(subscript(item, evaluate(item, frame), frame) for item in node.elts))
    return subscript(node, evaluate(node, frame), frame)
