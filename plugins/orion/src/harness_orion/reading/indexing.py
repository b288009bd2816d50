"""Subscripts in the text: which memory of an array is meant."""

from __future__ import annotations

import ast
from collections.abc import Callable

from harness_orion.reading.affine import UNKNOWN
from harness_orion.reading.frame import Frame
from harness_orion.reading.values import Kind, Value, View

MASK = "a truth value is no subscript: a mask covers several axes"


def subscript(node: ast.expr, value: Value, frame: Frame) -> Value:
    """Check one subscript; a mask would make the positions of the others uncertain."""
    if value.truth:
        frame.refuse(node, MASK, "use integers, slices or index arrays, one for each axis")
    return value


def is_subscripted_array(node: ast.expr, frame: Frame, refer: Callable[[ast.expr, Frame], Value]) -> bool:
    """Whether ``A[i]`` in ``A[i][j]`` is only a step on the way to an element of an array."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        if isinstance(node, ast.Attribute) and node.attr != "T":
            return False
        node = node.value
    if not isinstance(node, ast.Name):
        return False
    value = refer(node, frame)
    return value.kind is Kind.PLAIN and any(v.free for v in value.arrays)


def view_of(view: View, node: ast.Subscript, index: Value, frame: Frame) -> View:
    """The part of a view that a subscript leaves."""
    if not view.free:
        return view
    written = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    values = list(index.items) if index.items is not None else [index]
    if len(written) != len(values):
        written = [node.slice] * len(values)
    taken = sum(not _is_new_axis(w) and not _is_ellipsis(w) for w in written)
    if taken > len(view.free):
        has = f"{view.array} has {len(view.subscripts)} axes"
        frame.refuse(node, f"too many subscripts: {has}", "use one for each axis")
    return _narrowed(view, written, values, taken)


def _narrowed(view: View, written: list[ast.expr], values: list[Value], taken: int) -> View:
    axes = list(view.free or ())
    skipped = len(axes) - taken
    found = list(view.subscripts)
    left: list[int] = []
    vague = unknown = False
    for part, value in zip(written, values, strict=True):
        if _is_new_axis(part):
            vague = True
        elif _is_ellipsis(part):
            left, axes = left + axes[:skipped], axes[skipped:]
        elif isinstance(part, ast.Slice):
            vague = vague or not _is_full(part)
            left.append(axes.pop(0))
        else:
            unknown = unknown or value.affine is None
            found[axes.pop(0)] = value.affine if value.affine is not None else UNKNOWN
    left += axes
    # An unknown subscript may be an index array, after which the axes that are left may have moved.
    return View(view.array, tuple(found), None if vague or (unknown and left) else tuple(left))


def _is_full(node: ast.expr) -> bool:
    return isinstance(node, ast.Slice) and node.lower is None and node.upper is None and node.step is None


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _is_new_axis(node: ast.expr) -> bool:
    return (isinstance(node, ast.Constant) and node.value is None) or (
        isinstance(node, ast.Attribute) and node.attr == "newaxis"
    )
