"""Functions about to be lowered: what their parameters stand for, and which of their names inner blocks set."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from harness_orion.arrays import Accumulator, DistArray, DistArrayBuffer
from harness_orion.lowering.ir import Elem, Var
from harness_orion.lowering.scope import Buffered, Free, Items, Poison, Ref, Scope, Shared, Thing, Total
from harness_orion.lowering.types import BOOL, WEAK_INT, Type, Unsupported, of_number, type_of
from harness_orion.reading.affine import Affine
from harness_orion.reading.source import Source


def scope_of(
    function: FunctionType, shared: Shared, callers: tuple[FunctionType, ...] = (), *, loops: int = 0
) -> Scope:
    """A function's own names, none of which has a value yet."""
    shared.count += 1
    shaky = frozenset(_set_in_blocks(Source.of(function).tree.body))
    return Scope(function, shared, {}, shaky, shared.count, 0, loops, callers)


def _set_in_blocks(nodes: Sequence[ast.stmt], *, inner: bool = False) -> Iterator[str]:
    """Names that are assigned inside of an ``if`` or a loop, other than as a loop's target."""
    for node in nodes:
        if isinstance(node, ast.If | ast.For | ast.While):
            yield from _set_in_blocks([*node.body, *node.orelse], inner=True)
        elif inner:
            yield from (n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))


def key_things(names: Sequence[str], shared: Shared) -> Items:
    """The key: an index a dimension, worked out at the start of each iteration."""
    found = []
    for d, name in enumerate(names):
        var = Var(f"{name}_{d}", WEAK_INT)
        shared.fixed.add(var)
        shared.know(var, Affine.index(d, len(names)), None)
        found.append(var)
    return Items(tuple(found))


def val_thing(columns: Sequence[Any], *, parts: bool) -> Thing:
    """The value: nothing, a number, a row, or a tuple of these."""
    found = tuple(_column(f"value{n}", column) for n, column in enumerate(columns))
    if parts:
        return Items(found)
    return found[0] if found else Poison("val is None")


def _column(name: str, column: Any) -> Thing:
    if not isinstance(column, np.ndarray):
        raise Unsupported(f"values in a {type(column).__name__}, not in arrays")
    of = type_of(column.dtype)
    if column.ndim == 1:
        return Elem(name, ("e",), of)
    free = tuple(Free(0, n) for n in column.shape[1:])
    return Ref(name, of, ("e", *free), tuple(range(1, column.ndim)))


def argument_things(arguments: Mapping[str, Any], types: Mapping[str, Type]) -> dict[str, Thing]:
    """What each argument stands for; its arrays go by its name, with an underscore behind."""
    return {name: _argument(f"{name}_", thing, types) for name, thing in arguments.items()}


def _argument(name: str, thing: Any, types: Mapping[str, Type]) -> Thing:
    if isinstance(thing, DistArray):
        return Ref.whole(name, type_of(thing.dtype), thing.shape)
    if isinstance(thing, DistArrayBuffer):
        shape = thing.target.shape
        values = Ref.whole(f"{name}values", type_of(thing.target.dtype), shape)
        return Buffered(values, Ref.whole(f"{name}written", BOOL, shape))
    if isinstance(thing, Accumulator):
        value = np.asarray(thing.value)
        of = type_of(value.dtype)
        if not value.ndim:
            of = Type(types.get(name, of).dtype)
        return Total(Ref.whole(name, of, value.shape or (1,)), scalar=not value.ndim)
    return Var(name, of_number(thing))
