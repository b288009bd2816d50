"""A buffer's flush, lowered: its ``apply`` over the elements that were written, as one compiled loop."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Any

from harness_orion.arrays import DistArrayBuffer
from harness_orion.lowering.bodies import scope_of
from harness_orion.lowering.emit import Writer, indented
from harness_orion.lowering.fuse import fused
from harness_orion.lowering.ir import Const, Elem, Op, Set, Var
from harness_orion.lowering.rows import cast
from harness_orion.lowering.scope import Items, Object, Shared, Thing
from harness_orion.lowering.statements import lower_all
from harness_orion.lowering.types import WEAK_INT, Unsupported, type_of
from harness_orion.reading.source import Source
from harness_orion.space import Grid

TURNS = 8


def flush_text(buffer: DistArrayBuffer) -> str:
    """The text of ``run(found, *arrays, *buffers)``, over flat arrays; ``found`` are the elements to change."""
    shared = Shared(Grid(buffer.target.shape), {})
    for _ in range(TURNS):
        before = dict(shared.types)
        shared = Shared(shared.space, before)
        _lower(buffer, shared)
        if shared.types == before:
            break
    if shared.tables:
        raise Unsupported("arrays from outside")
    statements = fused(shared.out)
    names = [f"array{n}" for n in range(len(buffer.arrays))] + [f"update{n}" for n in range(len(buffer.buffers))]
    turn = ["e = found[n]", *Writer(statements, ()).lines(statements)]
    lines = [f"def run(found, {', '.join(names)}):", *indented(["for n in range(len(found)):", *indented(turn)])]
    return "\n".join(lines) + "\n"


def _lower(buffer: DistArrayBuffer, shared: Shared) -> None:
    function, bound = _function(buffer.apply)
    scope = scope_of(function, shared, (function,))
    scope.base_depth = shared.depth
    arrays = [Elem(f"array{n}", ("e",), type_of(a.dtype)) for n, a in enumerate(buffer.arrays)]
    updates = [Elem(f"update{n}", ("e",), type_of(b.target.dtype)) for n, b in enumerate(buffer.buffers)]
    given: list[Thing] = [*bound, _key(buffer.target.shape), *(shared.bind(e) for e in (*arrays, *updates))]
    names = list(inspect.signature(function).parameters)
    if len(names) != len(given):
        raise Unsupported(f"apply takes {len(names) - len(bound)} arguments, and is given {len(given) - len(bound)}")
    scope.env.update(zip(names, given, strict=True))
    lower_all(Source.of(function).tree.body, scope)
    found = scope.returned[0] if scope.returned else None
    new = found.items if isinstance(found, Items) else (found,)
    if len(new) > len(arrays):
        raise Unsupported(f"apply returns {len(new)} values for {len(arrays)} arrays")
    for elem, value in zip(arrays, new, strict=False):
        if not isinstance(value, Const | Var):
            raise Unsupported("apply returns other than numbers")
        shared.emit(Set(elem, cast(value, elem.type)))


def _function(apply: Any) -> tuple[FunctionType, list[Thing]]:
    """The function behind a callable, and what it is bound to."""
    if isinstance(apply, FunctionType):
        return apply, []
    method = getattr(apply, "__func__", None) or type(apply).__dict__.get("__call__")
    owner = getattr(apply, "__self__", apply)
    if not isinstance(method, FunctionType):
        raise Unsupported(f"apply is a {type(apply).__name__}")
    return method, [Object(owner)]


def _key(shape: tuple[int, ...]) -> Items:
    found = []
    step = 1
    for extent in reversed(shape):
        found.append(Op(f"(e // {step} % {extent})", (), WEAK_INT))
        step *= extent
    return Items(tuple(reversed(found)))
