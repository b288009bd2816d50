"""Stores: what assignments do to names, and to the elements and rows of arrays."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from harness_orion.lowering.expressions import combined, numeric, value
from harness_orion.lowering.ir import Const, Elem, Expr, Op, Set, Var
from harness_orion.lowering.numbers import binary
from harness_orion.lowering.places import element, narrowed
from harness_orion.lowering.rows import as_row, cast, kept, operand, store
from harness_orion.lowering.scope import Buffered, Items, Object, Ref, Row, Scope, Thing, Total
from harness_orion.lowering.types import BOOL, Unsupported, promoted


def settled(thing: Thing, scope: Scope) -> Thing:
    """A value that later stores do not change, unless it is a view."""
    if isinstance(thing, Items):
        return Items(tuple(settled(item, scope) for item in thing.items))
    if isinstance(thing, Row):
        return thing if thing.ref is not None else kept(scope.shared, thing)
    if isinstance(thing, Elem | Op | Var):
        return scope.shared.bind(thing)
    return thing


def assign(target: ast.expr, found: Thing, scope: Scope) -> None:
    """Give a name, several, or an element a value."""
    if isinstance(target, ast.Name):
        bind_name(target.id, found, scope)
    elif isinstance(target, ast.Tuple | ast.List):
        items = _items(found, len(target.elts), scope)
        for part, item in zip(target.elts, items, strict=True):
            assign(part, item, scope)
    elif isinstance(target, ast.Subscript):
        _store(target, value(target.value, scope), found, scope)
    else:
        raise Unsupported("this target of an assignment")


def _items(found: Thing, count: int, scope: Scope) -> Sequence[Thing]:
    if isinstance(found, Items) and len(found.items) == count:
        return found.items
    row = as_row(found) if isinstance(found, Ref) and len(found.order) == 1 else found
    if isinstance(row, Row) and row.length == count:
        ref = (row if row.ref is not None else kept(scope.shared, row)).ref
        assert ref is not None
        return [scope.shared.bind(Elem(ref.array, _at(ref, n), ref.type)) for n in range(count)]
    raise Unsupported(f"{count} names for what is not {count} values")


def _at(ref: Ref, n: int) -> tuple[str, ...]:
    return tuple(a if isinstance(a, str) else str(a.low + n) for a in ref.axes)


def bind_name(name: str, found: Thing, scope: Scope) -> None:
    """Give a name a value: a number that inner blocks set has one place, any other one is never changed."""
    if isinstance(found, Const | Var | Elem | Op):
        if name in scope.shaky:
            slot = scope.shared.slot(f"{name}_s{scope.number}", found.type)
            scope.shared.emit(Set(slot, cast(found, slot.type)))
            scope.env[name] = slot
        else:
            scope.env[name] = scope.shared.bind(found, name)
    elif isinstance(found, Row) and found.ref is None:
        scope.env[name] = kept(scope.shared, found, name)
    elif isinstance(found, Row | Ref | Items | Object):
        scope.env[name] = found
    else:
        raise Unsupported(f"another name for {type(found).__name__.lower()}")


def _store(target: ast.Subscript, base: Thing, found: Thing, scope: Scope) -> None:
    if isinstance(base, Total):
        raise Unsupported("an accumulator that is set")
    place = narrowed(target, base, scope)
    put(place, operand(found), scope)
    if isinstance(base, Buffered):
        mark(place, base, scope)


def put(place: Ref, found: Expr | Row, scope: Scope) -> None:
    """Store a number in an element, or a number or a row in a row."""
    if place.order:
        store(scope.shared, as_row(place), found)
    elif isinstance(found, Row):
        raise Unsupported("a row stored in an element")
    else:
        scope.shared.emit(Set(element(place), cast(found, place.type)))


def mark(place: Ref, buffer: Buffered, scope: Scope) -> None:
    """Note which elements of a buffer have been written."""
    put(Ref(buffer.written.array, BOOL, place.axes, place.order), Const(True, BOOL), scope)


def _added(place: Ref, found: Expr | Row, scope: Scope) -> Expr | Row:
    """What an accumulator comes to; one of integers that is given others takes them from now on."""
    of = (found.expr if isinstance(found, Row) else found).type
    scope.shared.types[place.array] = promoted(place.type, of)
    scope.shared.rounded = scope.shared.rounded or of.kind == "f"
    return found


def operand_at(place: Ref) -> Expr | Row:
    """What is in a place now."""
    return as_row(place) if place.order else element(place)


def augment_name(node: ast.AugAssign, target: ast.Name, scope: Scope) -> None:
    """``name op= value``: in place where the name is memory."""
    before = value(target, scope)
    found = numeric(node.value, scope)
    if isinstance(before, Total):
        whole = before.ref if not before.scalar else Ref(before.ref.array, before.ref.type, ("0",), ())
        put(whole, _added(whole, combined(scope, node.op, operand_at(whole), found), scope), scope)
    elif isinstance(before, Ref | Row):
        row = as_row(before) if isinstance(before, Ref) else before
        new = combined(scope, node.op, row, found)
        if new.expr.type.kind != row.expr.type.kind if isinstance(new, Row) else True:
            raise Unsupported("a row that would change its type in place")
        store(scope.shared, row, new)
    else:
        bind_name(target.id, combined(scope, node.op, operand(before), found), scope)


def augment_element(node: ast.AugAssign, target: ast.Subscript, scope: Scope) -> None:
    """``A[...] op= value``."""
    base = value(target.value, scope)
    place = narrowed(target, base, scope)
    found = numeric(node.value, scope)
    before = operand_at(place)
    if isinstance(before, Row) or isinstance(found, Row):
        new = combined(scope, node.op, before, found)
        if isinstance(new, Row) and new.expr.type.kind != place.type.kind:
            raise Unsupported("a row that would change its type in place")
    else:
        new = binary(scope.shared, node.op, before, found)
    if isinstance(base, Total):
        _added(place, new, scope)
    put(place, new, scope)
    if isinstance(base, Buffered):
        mark(place, base, scope)
