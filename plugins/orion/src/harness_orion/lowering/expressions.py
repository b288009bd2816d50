"""Expressions of a body, lowered to numbers, and to rows of them."""

from __future__ import annotations

import ast
from functools import singledispatch
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np

from harness_orion.lowering.ir import Branch, Const, Expr, Op, Set, Var
from harness_orion.lowering.numbers import binary, compared, negated, number, truth
from harness_orion.lowering.places import element, narrowed
from harness_orion.lowering.rows import cast, dot, elementwise, operand
from harness_orion.lowering.scope import Items, Object, Poison, Ref, Row, Scope, Thing
from harness_orion.lowering.types import BOOL, WEAK_BOOL, Unsupported, promoted, type_of
from harness_orion.reading.frame import captured_object

PLAIN = (bool, int, float, np.number, np.bool_)


@singledispatch
def value(node: ast.AST, _scope: Scope) -> Thing:
    """What an expression stands for; what must be worked out before it is emitted on the way."""
    raise Unsupported(f"{type(node).__name__.lower()}")


def numeric(node: ast.expr, scope: Scope) -> Expr | Row:
    """An expression that arithmetic takes."""
    return operand(value(node, scope))


def scalar(node: ast.expr, scope: Scope) -> Expr:
    """An expression that is one number."""
    found = numeric(node, scope)
    if isinstance(found, Row):
        raise Unsupported("a row where a number is needed")
    return found


@value.register
def _constant(node: ast.Constant, _scope: Scope) -> Thing:
    return None if node.value is None else number(node.value)


@value.register
def _name(node: ast.Name, scope: Scope) -> Thing:
    if node.id in scope.env:
        found = scope.env[node.id]
        if isinstance(found, Poison):
            raise Unsupported(found.why)
        return found
    known = captured_object(scope.function, node.id)
    if known is None:
        raise Unsupported(f"{node.id} may not have a value")
    return captured(node.id, known.thing, scope)


def captured(name: str, thing: Any, scope: Scope) -> Thing:
    """Something from outside: numbers are written into the code, arrays are passed."""
    if isinstance(thing, PLAIN):
        return number(thing)
    if isinstance(thing, tuple):
        return Items(tuple(captured(name, item, scope) for item in thing))
    if isinstance(thing, np.ndarray) and thing.ndim:
        for known, table in scope.shared.tables.items():
            if table is thing:
                return Ref.whole(known, type_of(thing.dtype), thing.shape)
        table_name = f"{name}_table{len(scope.shared.tables)}"
        scope.shared.tables[table_name] = thing
        return Ref.whole(table_name, type_of(thing.dtype), thing.shape)
    if isinstance(thing, ModuleType | FunctionType | BuiltinFunctionType | type | np.ufunc) or callable(thing):
        return Object(thing)
    raise Unsupported(f"{name}, a {type(thing).__name__} from outside")


@value.register
def _tuple(node: ast.Tuple, scope: Scope) -> Thing:
    return Items(tuple(value(item, scope) for item in node.elts))


@value.register
def _binary(node: ast.BinOp, scope: Scope) -> Thing:
    a, b = numeric(node.left, scope), numeric(node.right, scope)
    if isinstance(node.op, ast.MatMult):
        if not (isinstance(a, Row) and isinstance(b, Row)):
            raise Unsupported("@ on other than two rows")
        return dot(scope.shared, a, b)
    return combined(scope, node.op, a, b)


def combined(scope: Scope, op: ast.operator, a: Expr | Row, b: Expr | Row) -> Expr | Row:
    """``a op b`` on numbers and rows."""
    return elementwise(scope.shared, [a, b], lambda xy: binary(scope.shared, op, *xy))


@value.register
def _unary(node: ast.UnaryOp, scope: Scope) -> Thing:
    a = numeric(node.operand, scope)
    if isinstance(node.op, ast.USub):
        return elementwise(scope.shared, [a], lambda x: negated(x[0], scope.shared))
    if isinstance(node.op, ast.UAdd):
        return a
    if isinstance(node.op, ast.Not) and not isinstance(a, Row):
        return Op("(not {0})", (truth(a),), WEAK_BOOL)
    return elementwise(scope.shared, [a], lambda x: _inverted(x[0]))


def _inverted(a: Expr) -> Expr:
    if a.type == BOOL:
        return Op("(not {0})", (a,), BOOL)
    if a.type.kind != "i" or a.type.dtype.itemsize < 8:
        raise Unsupported("~ on other than truth values and 64-bit integers")
    return Op("(~{0})", (a,), a.type)


@value.register
def _comparison(node: ast.Compare, scope: Scope) -> Thing:
    things = [numeric(n, scope) for n in (node.left, *node.comparators)]
    pairs = [
        elementwise(scope.shared, [a, b], lambda xy, op=op: compared(op, *xy))  # type: ignore[misc]
        for op, a, b in zip(node.ops, things, things[1:], strict=False)
    ]
    if len(pairs) == 1:
        return pairs[0]
    if any(isinstance(p, Row) for p in pairs):
        raise Unsupported("a chain of comparisons of rows")
    numbers = [p for p in pairs if not isinstance(p, Row)]
    return Op("(" + " and ".join(f"{{{n}}}" for n in range(len(pairs))) + ")", tuple(numbers), WEAK_BOOL)


@value.register
def _either(node: ast.BoolOp, scope: Scope) -> Thing:
    """``and`` and ``or`` of truth values; a later one is only worked out where it is needed."""
    word = "and" if isinstance(node.op, ast.And) else "or"
    result = scalar(node.values[0], scope)
    for part in node.values[1:]:
        with scope.shared.block() as needed:
            other = scalar(part, scope)
        if {result.type.kind, other.type.kind} != {"b"}:
            raise Unsupported(f"{word} on other than truth values")
        if not needed:
            result = Op(f"({{0}} {word} {{1}})", (result, other), WEAK_BOOL)
            continue
        held = Var(scope.shared.fresh(word), WEAK_BOOL)
        scope.shared.emit(Set(held, result))
        needed.append(Set(held, other))
        scope.shared.emit(Branch(held if word == "and" else Op("(not {0})", (held,), WEAK_BOOL), needed))
        result = held
    return result


@value.register
def _choice(node: ast.IfExp, scope: Scope) -> Thing:
    test = truth(scalar(node.test, scope))
    with scope.shared.block() as then:
        a = scalar(node.body, scope)
    with scope.shared.block() as other:
        b = scalar(node.orelse, scope)
    if a.type != b.type and (a.type.kind == "b" or b.type.kind == "b"):
        raise Unsupported("a choice between a truth value and a number")
    to = promoted(a.type, b.type)
    scope.shared.rounded = scope.shared.rounded or (a.type.dtype != b.type.dtype)
    held = Var(scope.shared.fresh("chosen"), to)
    then.append(Set(held, cast(a, to)))
    other.append(Set(held, cast(b, to)))
    scope.shared.emit(Branch(test, then, other))
    return held


@value.register
def _attribute(node: ast.Attribute, scope: Scope) -> Thing:
    base = value(node.value, scope)
    if isinstance(base, Object) and base.receiver is None:
        if not hasattr(base.thing, node.attr):
            raise Unsupported(f"the attribute {node.attr}")
        return captured(node.attr, getattr(base.thing, node.attr), scope)
    if isinstance(base, Ref) and node.attr == "T":
        return Ref(base.array, base.type, base.axes, base.order[::-1])
    shape = base.shape if isinstance(base, Ref) else (base.length,) if isinstance(base, Row) else None
    if shape is not None and node.attr in ("shape", "size", "ndim"):
        sizes: dict[str, Any] = {"size": int(np.prod(shape)), "ndim": len(shape)}
        return Items(tuple(number(n) for n in shape)) if node.attr == "shape" else number(sizes[node.attr])
    return Object(node.attr, base)


@value.register
def _subscripted(node: ast.Subscript, scope: Scope) -> Thing:
    base = value(node.value, scope)
    if isinstance(base, Items):
        index = value(node.slice, scope)
        if not isinstance(index, Const) or not -len(base.items) <= index.value < len(base.items):
            raise Unsupported("a subscript of a tuple that is not a number in its range")
        found: Thing = base.items[index.value]
        return found
    return loaded(node, base, scope)


def loaded(node: ast.Subscript, base: Thing, scope: Scope) -> Thing:
    """What a reference to memory reads: a view, or a number."""
    found = narrowed(node, base, scope)
    return element(found) if isinstance(found, Ref) and not found.order else found
