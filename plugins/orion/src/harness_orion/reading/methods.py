"""Calls of methods: those of arrays, by what they do to memory, and those of local containers."""

from __future__ import annotations

import ast

from harness_orion.reading.arguments import may_not_copy, read_arguments, with_outputs
from harness_orion.reading.frame import Frame
from harness_orion.reading.known import KEEPING_METHODS, PURE_METHODS, VIEW_METHODS, WRITING_METHODS
from harness_orion.reading.values import FRESH, Captured, Kind, Value, opened


def call_method(node: ast.Call, func: ast.Attribute, receiver: Value, frame: Frame) -> Value:
    """A method's result, with what it reads and writes."""
    frame.read_whole(func.value, receiver)
    if receiver.kind is Kind.CONTAINER or (func.attr in KEEPING_METHODS and not receiver.arrays):
        return _container_method(node, func, receiver, frame)
    if func.attr in PURE_METHODS and not may_not_copy(node):
        # Where a method takes more by position, one of them may be what it writes.
        found = with_outputs(node, 1, frame)
        kept = {v for v in receiver.views if isinstance(v, Captured)} if func.attr == "get" else frozenset()
        kind = Kind.CONTAINER if func.attr == "tolist" else Kind.PLAIN
        return Value(views=found.views | kept, kind=kind, truth=func.attr in ("all", "any"))
    if func.attr in PURE_METHODS | VIEW_METHODS:
        read_arguments(node, frame)
        return Value(views=opened(receiver.views))
    if func.attr in WRITING_METHODS or (not receiver.views and receiver.kind is Kind.PLAIN):
        read_arguments(node, frame)
        frame.mutate(node, receiver, reads=True)
        return FRESH
    return frame.refuse(
        node, f"the method .{func.attr} is not supported", "use arithmetic, or one of NumPy's plain functions"
    )


def _container_method(node: ast.Call, func: ast.Attribute, receiver: Value, frame: Frame) -> Value:
    """A method of a local list or dict, which must not come to hold memory of an array unseen."""
    values = read_arguments(node, frame)
    if receiver.captured is not None or func.attr in WRITING_METHODS:
        frame.mutate(node, receiver, reads=True)
    if func.attr in KEEPING_METHODS and any(v.views for v in values):
        frame.refuse(node, "memory of an array is kept in a container that changes", "keep a copy: A[i].copy()")
    return Value(views=opened(receiver.views), kind=Kind.CONTAINER)
