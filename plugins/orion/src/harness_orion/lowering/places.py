"""Subscripts: the memory that a reference stands for, checked at run time where its range is not known before."""

from __future__ import annotations

import ast

from harness_orion.lowering.ir import Check, Const, Elem, Expr, Op, Set, Var
from harness_orion.lowering.rows import kept
from harness_orion.lowering.scope import Buffered, Free, Items, Ref, Row, Scope, Thing, Total
from harness_orion.lowering.types import BOOL, INT, Unsupported


def narrowed(node: ast.Subscript, base: Thing, scope: Scope) -> Ref:
    """The part of some memory that a subscript leaves."""
    if isinstance(base, Row):
        base = (base if base.ref is not None else kept(scope.shared, base)).ref
    if isinstance(base, Buffered):
        base = base.values
    if isinstance(base, Total):
        base = base.ref
    if not isinstance(base, Ref):
        raise Unsupported(f"a subscript of {type(base).__name__.lower()}")
    return _narrowed(node, base, scope)


def element(ref: Ref) -> Elem:
    """The one element that all subscripts select."""
    return Elem(ref.array, tuple(str(a) for a in ref.axes), ref.type)


def _narrowed(node: ast.Subscript, base: Ref, scope: Scope) -> Ref:
    written = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if len(written) == 1 and isinstance(written[0], ast.Name | ast.Subscript):
        written = _unpacked(written[0], scope) or written
    axes, order = list(base.axes), list(base.order)
    left: list[int] = []
    if sum(not _is_ellipsis(w) for w in written) > len(order):
        raise Unsupported("too many subscripts")
    for n, part in enumerate(written):
        if _is_ellipsis(part):
            keep = len(order) - len(written[n + 1 :])
            left, order = left + order[:keep], order[keep:]
            continue
        axis = order.pop(0)
        free = axes[axis]
        assert isinstance(free, Free)
        if isinstance(part, ast.Slice):
            axes[axis] = _sliced(part, free, scope)
            left.append(axis)
        else:
            axes[axis] = _place(part, free, base.array, scope)
    return Ref(base.array, base.type, tuple(axes), tuple(left + order))


def _unpacked(node: ast.expr, scope: Scope) -> list[ast.expr] | None:
    """The parts of a subscript that is a tuple under a name, such as the key."""
    from harness_orion.lowering.expressions import value

    found = value(node, scope)
    if not isinstance(found, Items):
        return None
    return [ast.copy_location(ast.Subscript(node, ast.Constant(n), ast.Load()), node) for n in range(len(found.items))]


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _sliced(node: ast.Slice, free: Free, scope: Scope) -> Free:
    from harness_orion.lowering.expressions import scalar

    ends = []
    for bound in (node.lower, node.upper, node.step):
        found = None if bound is None else scalar(bound, scope)
        if found is not None and not (isinstance(found, Const) and found.type.kind == "i"):
            raise Unsupported("a slice whose ends are not known before")
        ends.append(None if found is None else int(found.value))
    low, high, step = slice(*ends).indices(free.length)
    if step != 1:
        raise Unsupported("a slice with a step")
    return Free(free.low + low, max(0, high - low))


def _place(node: ast.expr, free: Free, array: str, scope: Scope) -> str:
    """A subscript as a name or a number, counted from the axis's own beginning."""
    from harness_orion.lowering.expressions import scalar

    shared = scope.shared
    index = scalar(node, scope)
    if index.type.kind not in "iu":
        raise Unsupported(f"a subscript of type {index.type.dtype}")
    span = shared.span(index)
    if span is not None and span[0] >= 0 and span[1] < free.length:
        return _atom(index, free.low, scope)
    if span is not None and span[1] < 0 and span[0] >= -free.length:
        return _atom(index, free.low + free.length, scope)
    known = (index, free.low, free.length)
    if known not in shared.places:
        place = _checked(ast.unparse(node), index, free, array, scope)
        if index not in shared.fixed:
            return place
        shared.places[known] = place
    return shared.places[known]


def _checked(text: str, index: Expr, free: Free, array: str, scope: Scope) -> str:
    """A subscript that is checked when it is used; a negative one counts from the end."""
    shared = scope.shared
    place = Var(shared.fresh("at"), INT)
    shared.emit(Set(place, Op("np.int64({0})", (index,), INT)))
    shared.emit(Set(place, Op(f"({{0}} + {free.length} if {{0}} < 0 else {{0}})", (place,), INT)))
    said = f"{text} is out of range: the axis of {array.rstrip('_')} has {free.length}"
    shared.emit(Check(Op(f"{{0}} >= 0 and {{0}} < {free.length}", (place,), BOOL), f"IndexError({said!r})"))
    return place.name if not free.low else _atom(place, free.low, scope)


def _atom(index: Expr, shift: int, scope: Scope) -> str:
    if isinstance(index, Const):
        return str(int(index.value) + shift)
    found = scope.shared.bind(Op(f"({{0}} + {shift})", (index,), INT) if shift else index, "at")
    assert isinstance(found, Var)
    return found.name
