"""Calls: NumPy's known functions, methods of arrays, and the user's own helpers, which are read in place."""

from __future__ import annotations

import ast
import inspect
import math
from types import FunctionType
from typing import Any

import numpy as np

from harness_orion.reading.arguments import may_not_copy, read_arguments, with_outputs, written_argument
from harness_orion.reading.expressions import evaluate, refer
from harness_orion.reading.frame import Frame
from harness_orion.reading.helpers import call_helper
from harness_orion.reading.known import (
    COLLECTING_BUILTINS,
    PICKING_BUILTINS,
    PURE_BUILTINS,
    PURE_NUMPY,
    TRUTH_NUMPY,
    VIEWING_NUMPY,
    WRITING_NUMPY,
)
from harness_orion.reading.methods import call_method
from harness_orion.reading.values import FRESH, Kind, Value, opened, union


@evaluate.register
def call(node: ast.Call, frame: Frame) -> Value:
    """A call's result, with what it reads and writes."""
    for keyword in node.keywords:
        if keyword.arg is None:
            frame.refuse(node, "** in a call is not supported", "name each argument")
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            frame.refuse(argument, "* in a call is not supported", "name each argument")
    if isinstance(node.func, ast.Attribute):
        receiver = refer(node.func.value, frame)
        if receiver.known is None or isinstance(receiver.known.thing, np.ndarray | list | dict | tuple | set):
            return call_method(node, node.func, receiver, frame)
    function = refer(node.func, frame)
    if function.known is None:
        frame.refuse(node, "what is called is not known beforehand", "call a function by its name")
    return _known(node, function.known.thing, frame)


def _known(node: ast.Call, function: Any, frame: Frame) -> Value:
    function = getattr(function, "py_func", function)
    module = getattr(function, "__module__", None) or ""
    if isinstance(function, np.ufunc):
        return _ufunc(node, function, frame)
    if vars(np).get(getattr(function, "__name__", "")) is function:
        return _numpy(node, function, frame)
    if getattr(math, getattr(function, "__name__", ""), None) is function:
        read_arguments(node, frame)
        return FRESH
    if module.startswith("numpy.linalg"):
        return with_outputs(node, len(node.args), frame)
    if isinstance(function, FunctionType) and not module.startswith("numpy"):
        return call_helper(node, function, frame)
    return _builtin(node, function, frame)


def _ufunc(node: ast.Call, function: np.ufunc, frame: Frame) -> Value:
    found = with_outputs(node, function.nin, frame)
    return Value(views=found.views, truth=all(t.endswith("?") for t in function.types))


def _numpy(node: ast.Call, function: Any, frame: Frame) -> Value:
    name = function.__name__
    if name in PURE_NUMPY and not may_not_copy(node):
        return Value(views=with_outputs(node, _before_out(function), frame).views, truth=name in TRUTH_NUMPY)
    if name in PURE_NUMPY | VIEWING_NUMPY:
        return Value(views=opened(union(*read_arguments(node, frame))))
    if name in WRITING_NUMPY and node.args:
        for argument in node.args[1:]:
            evaluate(argument, frame)
        written_argument(node.args[0], frame)
        return FRESH
    if isinstance(function, type) and issubclass(function, np.generic):
        # A conversion to the type that an array has already may return the array itself.
        views = opened(union(*read_arguments(node, frame)))
        return Value(views=views, truth=issubclass(function, np.bool_))
    return frame.refuse(node, f"np.{name} is not supported", "use arithmetic, or one of NumPy's plain functions")


def _before_out(function: Any) -> int:
    """How many arguments a function takes by position before the one it writes."""
    try:
        names = list(inspect.signature(function).parameters)
    except ValueError:
        return 2
    return names.index("out") if "out" in names else len(names) + 64


def _builtin(node: ast.Call, function: Any, frame: Frame) -> Value:
    if function is len and len(node.args) == 1:
        whole = [v for v in refer(node.args[0], frame).arrays if v.is_whole]
        if whole:
            shape = evaluate(ast.copy_location(ast.Attribute(node.args[0], "shape", ast.Load()), node), frame)
            return shape.items[0] if shape.items else FRESH
    name = getattr(function, "__name__", type(function).__name__)
    if any(function is f for f in PURE_BUILTINS):
        values = read_arguments(node, frame)
        if function is int and len(values) == 1 and values[0].affine is not None:
            return values[0]
        return Value(truth=function is bool)
    if any(function is f for f in PICKING_BUILTINS):
        values = read_arguments(node, frame)
        held = any(v.kind is Kind.CONTAINER for v in values)
        return Value(views=opened(union(*values)), kind=Kind.CONTAINER if held else Kind.PLAIN)
    if any(function is f for f in COLLECTING_BUILTINS):
        return Value(views=opened(union(*read_arguments(node, frame))), kind=Kind.CONTAINER)
    if "random" in str(getattr(function, "__module__", "")) or "random" in ast.unparse(node.func):
        frame.refuse(node, "a random draw changes hidden state", "draw before the loop, and take the numbers from val")
    return frame.refuse(
        node, f"a call of {name} is not supported", "use arithmetic, NumPy, math, or a function of your own"
    )
