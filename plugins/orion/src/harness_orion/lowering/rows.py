"""Rows: elementwise arithmetic, reductions, and stores, as loops over scalars."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness_orion.lowering.ir import Along, Const, Counter, Elem, Expr, Loop, Op, Scan, Set, Var, elements, shifted
from harness_orion.lowering.scope import Ref, Row, Shared, Thing
from harness_orion.lowering.types import BOOL, INT, Type, Unsupported, promoted

COUNT = Type(np.dtype(np.int32))  # a vector holds more of these


def as_row(ref: Ref) -> Row:
    """A view with one axis left as a row."""
    if len(ref.order) != 1:
        raise Unsupported(f"arithmetic on {len(ref.order)} axes of {ref.array} at once")
    axis = ref.order[0]
    free = ref.axes[axis]
    assert not isinstance(free, str)
    subscripts = tuple(Along() if n == axis else str(s) for n, s in enumerate(ref.axes))
    return Row(Elem(ref.array, subscripts, ref.type), free.low, free.length, ref)


def operand(thing: Thing) -> Expr | Row:
    """A value that arithmetic takes."""
    if isinstance(thing, Ref):
        return as_row(thing)
    if isinstance(thing, Row | Const | Var | Elem | Op | Counter):
        return thing
    raise Unsupported(f"arithmetic on {type(thing).__name__.lower()}")


def cast(expr: Expr, to: Type) -> Expr:
    """The same number in another type."""
    if isinstance(expr, Const):
        value = to.dtype.type(expr.value) if to.kind != expr.type.kind or not to.weak else expr.value
        return Const(value, to)
    if expr.type.dtype == to.dtype:
        return expr
    return Op(f"{to.code}({{0}})", (expr,), to)


def elementwise(shared: Shared, things: list[Expr | Row], make: Callable[[list[Expr]], Expr]) -> Expr | Row:
    """Apply an operation to numbers, or to rows of one length, element by element; a number goes with each."""
    rows = [t for t in things if isinstance(t, Row)]
    if not rows:
        return make([t for t in things if not isinstance(t, Row)])
    length = max(r.length for r in rows)
    low = next((r.low for r in rows if r.length == length), 0)
    if any(r.length not in (1, length) for r in rows):
        raise Unsupported(f"rows of {' and '.join(str(r.length) for r in rows)} elements")
    if any(r.length != length for r in rows):
        raise Unsupported("a row of one element that is spread over another")
    exprs = [shifted(t.expr, t.low - low) if isinstance(t, Row) else lifted(shared, t) for t in things]
    return Row(make(exprs), low, length)


def lifted(shared: Shared, expr: Expr) -> Expr:
    """A number that a loop over a row uses: worked out before it."""
    return expr if isinstance(expr, Const | Var) else shared.bind(expr)


def kept(shared: Shared, row: Row, hint: str = "row") -> Row:
    """A row worked out now, in memory of its own."""
    ref = shared.row(Type(row.expr.type.dtype), row.length, hint)
    expr = shifted(as_row(ref).expr, -row.low)
    assert isinstance(expr, Elem)
    shared.emit(Loop(row.low, row.low + row.length, [Set(expr, row.expr)]))
    return Row(expr, row.low, row.length, ref)


def store(shared: Shared, target: Row, value: Expr | Row) -> None:
    """Set each element of a row in memory; the value is worked out first where it reads others of the same array."""
    assert isinstance(target.expr, Elem)
    to = target.expr
    if isinstance(value, Row):
        if value.length != target.length:
            raise Unsupported(f"{value.length} elements stored in {target.length}")
        source = shifted(value.expr, value.low - target.low)
        if any(e.array == to.array and e.along != to.along for e in elements(source)):
            value = kept(shared, value)
            source = shifted(value.expr, value.low - target.low)
    else:
        source = lifted(shared, value)
    shared.emit(Loop(target.low, target.low + target.length, [Set(to, cast(source, to.type))]))


def reduced(shared: Shared, row: Row, start: Expr, make: Callable[[Var, Expr], Expr], hint: str) -> Var:
    """Fold a row into a number, from its first element on."""
    result = Var(shared.fresh(hint), start.type)
    fold = [Set(result, make(result, row.expr))]
    shared.emit(Loop(row.low, row.low + row.length, fold, [Set(result, start)]))
    return result


def sum_type(of: Type) -> Type:
    """The type of a sum of many."""
    if of.kind == "f":
        return Type(of.dtype)
    if of.kind == "u":
        raise Unsupported("a sum of unsigned numbers")
    return INT


def total(shared: Shared, row: Row) -> Expr:
    """The sum of a row; of truth values, how many are true."""
    of = sum_type(row.expr.type)
    if row.expr.type.kind == "b":
        return cast(_folded(shared, row, f"{COUNT.code}({{0}} + {{1}})", COUNT), of)
    shared.sums = shared.sums or of.kind == "f"
    return _folded(shared, row, "added({0}, {1})" if of.kind == "f" else "({0} + {1})", of)


def _folded(shared: Shared, row: Row, template: str, of: Type) -> Var:
    return reduced(shared, row, Const(of.dtype.type(0), of), lambda s, x: Op(template, (s, cast(x, of)), of), "sum")


def dot(shared: Shared, a: Row, b: Row) -> Expr:
    """The inner product of two rows."""
    of = promoted(a.expr.type, b.expr.type)
    if of.kind == "b":
        raise Unsupported("an inner product of truth values")
    product = elementwise(shared, [a, b], lambda xy: Op("({0} * {1})", tuple(cast(x, of) for x in xy), of))
    if a.length != b.length or not isinstance(product, Row):
        raise Unsupported(f"an inner product of {a.length} and {b.length} elements")
    return total(shared, product)


def extreme(shared: Shared, row: Row, sign: str) -> Var:
    """The least or greatest of a row; NaN if there is one."""
    if not row.length:
        raise Unsupported("the extreme of an empty row")
    template = f"({{1}} if ({{1}} {sign} {{0}} or {{1}} != {{1}}) else {{0}})"
    first = _first(shared, row)
    return reduced(shared, row, first, lambda m, x: Op(template, (m, x), first.type), "most")


def _first(shared: Shared, row: Row) -> Var:
    if not isinstance(row.expr, Elem) or len(row.expr.along) != 1:
        row = kept(shared, row)
    found = element_at(row, str(row.low))
    result = Var(shared.fresh("first"), row.expr.type)
    shared.emit(Set(result, found))
    return result


def element_at(row: Row, k: str) -> Elem:
    """One element of a row that is in memory."""
    assert isinstance(row.expr, Elem)
    place = [str(int(k) + s.shift) if isinstance(s, Along) else s for s in row.expr.subscripts]
    return Elem(row.expr.array, tuple(place), row.expr.type)


def place_of_extreme(shared: Shared, row: Row, sign: str) -> Var:
    """Where the least or greatest is first."""
    best = _first(shared, row)
    at = Var(shared.fresh("at"), INT)
    shared.emit(Set(at, Const(0, INT)))
    found = Op(f"(({{1}} {sign} {{0}}) or ({{1}} != {{1}} and {{0}} == {{0}}))", (best, row.expr), BOOL)
    here = Counter(-row.low)
    sets = [
        Set(at, Op("({0} if {1} else {2})", (here, found, at), INT)),
        Set(best, Op(f"({{1}} if (({{1}} {sign} {{0}}) or {{1}} != {{1}}) else {{0}})", (best, row.expr), best.type)),
    ]
    shared.emit(Loop(row.low, row.low + row.length, sets))
    return at


def running(shared: Shared, row: Row) -> Row:
    """The cumulated sums of a row."""
    of = sum_type(row.expr.type)
    if of.kind == "f":
        return _scanned(shared, Row(cast(row.expr, of), row.low, row.length))
    so_far = Var(shared.fresh("sum"), of)
    ref = shared.row(of, row.length, "sums")
    target = shifted(as_row(ref).expr, -row.low)
    assert isinstance(target, Elem)
    add = Set(so_far, Op("({0} + {1})", (so_far, cast(row.expr, of)), of))
    zero = Set(so_far, Const(of.dtype.type(0), of))
    shared.emit(Loop(row.low, row.low + row.length, [add, Set(target, so_far)], [zero]))
    return Row(target, row.low, row.length, ref)


def _scanned(shared: Shared, row: Row) -> Row:
    shared.sums = True
    found = kept(shared, row, "sums")
    assert isinstance(found.expr, Elem)
    shared.emit(Scan(found.expr, row.length))
    return found


def count_up(low: int, length: int) -> Row:
    """The integers from ``low``."""
    return Row(Counter(low), 0, length)
