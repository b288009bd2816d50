"""Calls in a body: NumPy on numbers and rows, ``math``, and the user's helpers, which are read in place."""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Mapping
from types import FunctionType
from typing import Any

import numpy as np

from harness_orion.lowering.bodies import scope_of
from harness_orion.lowering.expressions import captured, scalar, value
from harness_orion.lowering.functions import FOLDS, row_of, ufunc
from harness_orion.lowering.functions import function as numpy_function
from harness_orion.lowering.fuse import written_arrays
from harness_orion.lowering.ir import Const, Expr, Op, Set, Var
from harness_orion.lowering.numbers import MATH, math_call, number, to_integer, truth, wrapped
from harness_orion.lowering.rows import (
    cast,
    dot,
    elementwise,
    kept,
    operand,
)
from harness_orion.lowering.scope import Object, Ref, Row, Scope, Thing
from harness_orion.lowering.statements import lower_all
from harness_orion.lowering.stores import bind_name, put
from harness_orion.lowering.types import FLOAT, Type, Unsupported, promoted, type_of
from harness_orion.reading.source import Source


@value.register
def call(node: ast.Call, scope: Scope) -> Thing:
    """A call's result."""
    direct, scope.shared.direct_call = scope.shared.direct_call, False
    function = value(node.func, scope)
    if not isinstance(function, Object):
        raise Unsupported("a call of what is not a function")
    thing = getattr(function.thing, "py_func", function.thing)
    options = {str(k.arg): k.value for k in node.keywords}
    if function.receiver is not None:
        return _method(str(thing), function.receiver, [value(a, scope) for a in node.args], options, scope)
    if isinstance(thing, FunctionType) and not (thing.__module__ or "").startswith("numpy"):
        return _helper(node, thing, scope, direct=direct)
    if isinstance(thing, np.ufunc):
        return ufunc(node, thing, options, scope)
    if options:
        raise Unsupported(f"options in a call of {getattr(thing, '__name__', thing)}")
    name = getattr(thing, "__name__", "")
    if vars(math).get(name) is thing:
        return _math(name, [scalar(a, scope) for a in node.args], scope)
    return _function(thing, [value(a, scope) for a in node.args], scope)


def _method(name: str, receiver: Thing, given: list[Thing], options: Mapping[str, ast.expr], scope: Scope) -> Thing:
    if options:
        raise Unsupported(f"options of .{name}")
    if name == "fill" and len(given) == 1 and isinstance(receiver, Ref | Row):
        ref = receiver if isinstance(receiver, Ref) else receiver.ref
        if ref is None:
            raise Unsupported(".fill of a new row")
        put(ref, operand(given[0]), scope)
        return None
    if name == "dot" and len(given) == 1:
        return dot(scope.shared, row_of(receiver), row_of(given[0]))
    if name == "astype" and len(given) == 1 and isinstance(given[0], Object):
        to = type_of(np.dtype(given[0].thing))
        return kept(scope.shared, Row(cast(row_of(receiver).expr, to), row_of(receiver).low, row_of(receiver).length))
    if name in FOLDS and not given:
        return FOLDS[name](scope, row_of(receiver))
    raise Unsupported(f"the method .{name}")


def _math(name: str, args: list[Expr], scope: Scope) -> Thing:
    if name in ("floor", "ceil") and len(args) == 1:
        return to_integer(scope.shared, Op(f"np.{name}({{0}})", (cast(args[0], FLOAT),), FLOAT))
    if name not in MATH:
        raise Unsupported(f"math.{name}")
    return math_call(scope.shared, name, args)


def _function(thing: Any, given: list[Thing], scope: Scope) -> Thing:
    name = getattr(thing, "__name__", str(thing))
    if thing is len and len(given) == 1:
        found = given[0].shape[0] if isinstance(given[0], Ref) else row_of(given[0]).length
        return number(found)
    if isinstance(thing, type) and len(given) == 1:
        return _converted(thing, operand(given[0]), scope)
    if thing in (min, max) and len(given) > 1:
        return _picked(">" if thing is max else "<", [operand(g) for g in given], scope)
    if thing is abs:
        return elementwise(scope.shared, [operand(given[0])], lambda x: _absolute(x[0]))
    if vars(np).get(name) is thing:
        return numpy_function(name, given, scope)
    raise Unsupported(f"a call of {name}")


def _absolute(x: Expr) -> Expr:
    if x.type.kind not in "if":
        raise Unsupported("abs of other than numbers with a sign")
    return wrapped(Op("abs({0})", (x,), x.type))


def _converted(to: type, x: Expr | Row, scope: Scope) -> Expr | Row:
    if isinstance(x, Row) or to not in (int, float, bool):
        if not issubclass(to, np.generic):
            raise Unsupported(f"{to.__name__} of a row")
        return elementwise(scope.shared, [x], lambda v: cast(v[0], type_of(np.dtype(to))))
    if to is int:
        return to_integer(scope.shared, x)
    if to is bool:
        return truth(x)
    return number(float(x.value)) if isinstance(x, Const) else Op("np.float64({0})", (x,), Type(FLOAT.dtype, weak=True))


def _picked(sign: str, things: list[Expr | Row], scope: Scope) -> Thing:
    if any(isinstance(t, Row) for t in things):
        raise Unsupported("max or min of rows")
    numbers = [t for t in things if not isinstance(t, Row)]
    of = promoted(*(t.type for t in numbers))
    if any(t.type.dtype != of.dtype for t in numbers):
        raise Unsupported("max or min of numbers of several types")
    best = Var(scope.shared.fresh("most"), of)
    scope.shared.emit(Set(best, numbers[0]))
    for other in numbers[1:]:
        scope.shared.emit(Set(best, Op(f"({{1}} if {{1}} {sign} {{0}} else {{0}})", (best, other), of)))
    return best


def _helper(node: ast.Call, function: FunctionType, scope: Scope, *, direct: bool) -> Thing:
    """Read a helper's body in the place of its call."""
    shared = scope.shared
    inner = scope_of(function, shared, (*scope.callers, scope.function), loops=scope.loops)
    signature = inspect.signature(function)
    bound = signature.bind(
        *(value(a, scope) for a in node.args), **{str(k.arg): value(k.value, scope) for k in node.keywords}
    )
    for name, parameter in signature.parameters.items():
        given = bound.arguments.get(name)
        bind_name(name, given if name in bound.arguments else captured(name, parameter.default, scope), inner)
    with shared.block() as body:
        inner.base_depth = shared.depth
        lower_all(Source.of(function).tree.body, inner)
    if not direct and not written_arrays(body) <= shared.rows.keys():
        raise Unsupported(f"{function.__name__} may change arrays in the middle of an expression")
    for statement in body:
        shared.emit(statement)
    return inner.returned[0] if inner.returned else None
