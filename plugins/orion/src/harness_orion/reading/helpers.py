"""The user's own helper functions: each call is read in its place, with the memory that it is given."""

from __future__ import annotations

import ast
import inspect
from types import FunctionType
from typing import Any

from harness_orion.reading.expressions import number, refer
from harness_orion.reading.frame import Frame
from harness_orion.reading.source import Source
from harness_orion.reading.statements import run_all
from harness_orion.reading.values import FRESH, Captured, Known, Value, join


def call_helper(node: ast.Call, function: FunctionType, frame: Frame) -> Value:
    """Read a helper's body in the place of its call."""
    if function in frame.callers or function is frame.source.function:
        frame.refuse(node, f"{function.__name__} calls itself", "write a loop")
    inner = Frame(
        Source.of(function),
        frame.log,
        _bound(node, function, frame),
        (*frame.callers, frame.source.function),
        frame.guards,
        frame.loops,
        frame.may_have_left,
    )
    run_all(inner.source.tree.body, inner)
    results = inner.returned + ([FRESH] if inner.env is not None else [])
    found = results[0] if results else FRESH
    for other in results[1:]:
        found = join(found, other)
    frame.read_whole(node, found)
    return found


def _bound(node: ast.Call, function: FunctionType, frame: Frame) -> dict[str, Value]:
    signature = inspect.signature(function)
    given = [refer(a, frame) for a in node.args]
    named = {str(k.arg): refer(k.value, frame) for k in node.keywords}
    try:
        bound = signature.bind(*given, **named)
    except TypeError as error:
        frame.refuse(node, f"{function.__name__}: {error}", "call it with the arguments that it takes")
    for name, parameter in signature.parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            frame.refuse(node, f"{function.__name__} takes *{name}", "give each argument a name")
        if name not in bound.arguments:
            bound.arguments[name] = _default(parameter.default, f"{function.__name__}'s {name}", frame)
    return dict(bound.arguments)


def _default(value: Any, name: str, frame: Frame) -> Value:
    if isinstance(value, bool | int | float | str | type(None)):
        return number(value, frame)
    return Value(views=frozenset({Captured(name)}), known=Known(value))
