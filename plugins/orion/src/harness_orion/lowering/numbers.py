"""Arithmetic on numbers, typed as NumPy 2 types it."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from harness_orion.lowering.ir import Check, Const, Expr, Op
from harness_orion.lowering.rows import cast
from harness_orion.lowering.scope import Shared
from harness_orion.lowering.types import (
    BOOL,
    FLOAT,
    INT,
    NARROW,
    WEAK_BOOL,
    WEAK_FLOAT,
    WEAK_INT,
    Type,
    Unsupported,
    of_number,
    promoted,
)
from harness_orion.reading.affine import Affine
from harness_orion.reading.expressions import affine_result

SIGNS = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("**", operator.pow),
    ast.BitAnd: ("&", operator.and_),
    ast.BitOr: ("|", operator.or_),
    ast.BitXor: ("^", operator.xor),
    ast.LShift: ("<<", operator.lshift),
    ast.RShift: (">>", operator.rshift),
}
COMPARED = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


def number(value: Any) -> Const:
    """A number that is known."""
    return Const(value, of_number(value))


def binary(shared: Shared, op: ast.operator, a: Expr, b: Expr) -> Expr:
    """``a op b`` on numbers."""
    if type(op) not in SIGNS:
        raise Unsupported(f"the operator {type(op).__name__}")
    sign, python = SIGNS[type(op)]
    if isinstance(a, Const) and isinstance(b, Const):
        return _folded(python, a, b)
    found = _operation(shared, op, sign, a, b)
    if found.type.kind == "i" and isinstance(op, ast.Add | ast.Sub | ast.Mult):
        _note(shared, op, python, a, b, found)
    return found


def _folded(python: Callable[[Any, Any], Any], a: Const, b: Const) -> Const:
    try:
        with np.errstate(all="raise"):
            return number(python(a.value, b.value))
    except (ArithmeticError, TypeError, ValueError) as error:
        raise Unsupported(f"{a.value!r} and {b.value!r}: {error}") from None


def _note(shared: Shared, op: ast.operator, python: Callable[[Any, Any], Any], a: Expr, b: Expr, found: Expr) -> None:
    x, y = shared.affine_of(a), shared.affine_of(b)
    form: Affine | None = affine_result(op, x, y) if x is not None and y is not None else None
    s, t = shared.span(a), shared.span(b)
    if s is not None and t is not None:
        ends = [python(p, q) for p in s for q in t]
        shared.know(found, form, (min(ends), max(ends)))


def _operation(shared: Shared, op: ast.operator, sign: str, a: Expr, b: Expr) -> Expr:
    to = promoted(a.type, b.type)
    if isinstance(op, ast.Pow):
        return _power(shared, a, b, to)
    if isinstance(op, ast.BitAnd | ast.BitOr | ast.BitXor | ast.LShift | ast.RShift):
        if to.kind == "f" or (to.kind == "b" and isinstance(op, ast.LShift | ast.RShift)):
            raise Unsupported(f"{sign} on {to.dtype}")
    elif to.kind == "b":
        if not to.weak:
            raise Unsupported("arithmetic on truth values")
        to = WEAK_INT
    if isinstance(op, ast.Div) and to.kind != "f":
        to = WEAK_FLOAT if to.weak else FLOAT
    if isinstance(op, ast.Div | ast.FloorDiv | ast.Mod) and to.weak and not (isinstance(b, Const) and b.value):
        b = b if isinstance(b, Const) else shared.bind(b)
        shared.emit(Check(Op("{0} != 0", (b,), BOOL), "ZeroDivisionError('division by zero')"))
    return wrapped(Op(f"({{0}} {sign} {{1}})", (cast(a, to), cast(b, to)), to), floats=sign in ("//", "%"))


def wrapped(found: Op, *, floats: bool = False) -> Op:
    """Bring a result back to its type, where Numba would widen it."""
    code = found.type.dtype.str[1:]
    if code in NARROW or (code == "f4" and floats):
        return Op(f"{found.type.code}({found.template})", found.operands, found.type)
    return found


def _power(shared: Shared, a: Expr, b: Expr, to: Type) -> Expr:
    if isinstance(b, Const) and b.value in (1, 2, 3) and to.kind != "b":
        x = cast(a, to)
        return wrapped(Op("(" + " * ".join(["{0}"] * int(b.value)) + ")", (x,), to))
    if to.kind != "f" or to.weak:
        raise Unsupported(f"** on {'Python numbers' if to.weak else to.dtype}, but with an exponent of 1, 2 or 3")
    shared.rounded = True
    return wrapped(Op("({0} ** {1})", (cast(a, to), cast(b, to)), to), floats=True)


def negated(a: Expr, shared: Shared) -> Expr:
    """``-a``."""
    if isinstance(a, Const):
        return _folded(operator.sub, number(0), a) if a.type.weak else Const(-a.value, a.type)
    if a.type.kind == "b":
        raise Unsupported("- on a truth value")
    found = wrapped(Op("(-{0})", (a,), a.type))
    form, span = shared.affine_of(a), shared.span(a)
    if span is not None:
        shared.know(found, -form if form is not None else None, (-span[1], -span[0]))
    return found


def compared(op: ast.cmpop, a: Expr, b: Expr) -> Expr:
    """``a op b`` as a truth value."""
    sign = COMPARED.get(type(op))
    if sign is None:
        raise Unsupported(f"the comparison {type(op).__name__}")
    weak = a.type.weak and b.type.weak
    to = promoted(a.type, b.type)
    if to.kind == "b":
        to = INT
    return Op(f"({{0}} {sign} {{1}})", (cast(a, to), cast(b, to)), WEAK_BOOL if weak else BOOL)


def truth(a: Expr) -> Expr:
    """Whether a number counts as true."""
    if a.type.kind == "b":
        return a
    return Op("({0} != 0)", (a,), WEAK_BOOL)


def to_integer(shared: Shared, a: Expr) -> Expr:
    """``int(a)``."""
    if isinstance(a, Const):
        return number(int(a.value))
    if a.type.kind == "f":
        a = shared.bind(a)
        shared.emit(
            Check(Op("np.isfinite({0})", (a,), BOOL), "ValueError('cannot convert a float that is not finite')")
        )
    found = Op("np.int64({0})", (a,), WEAK_INT)
    shared.know(found, shared.affine_of(a), shared.span(a))
    return found


def math_call(shared: Shared, name: str, args: list[Expr]) -> Expr:
    """A function of ``math``: it takes and gives Python's floats, and raises where the result would not be finite."""
    shared.rounded = True
    floats = [shared.bind(cast(a, FLOAT)) for a in args]
    found = shared.bind(
        Op(f"math.{name}({', '.join(f'{{{n}}}' for n in range(len(args)))})", tuple(floats), WEAK_FLOAT)
    )
    fine = " and ".join(f"np.isfinite({{{n + 1}}})" for n in range(len(args)))
    condition = Op(f"np.isfinite({{0}}) or not ({fine})", (found, *floats), BOOL)
    shared.emit(Check(condition, f"ValueError('math.{name}: no finite result')"))
    return found


MATH = ("sqrt", "exp", "log", "log1p", "expm1", "sin", "cos", "tan", "tanh", "atan", "atan2", "hypot", "pow", "fabs")
