"""From a loop's real arguments to what the analysis knows of them; memory that two of them share is refused."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import HarnessError
from harness_orion.arrays import Accumulator, DistArray, DistArrayBuffer
from harness_orion.reading.accesses import Argument, ArrayFacts, Body, BufferOf, Role
from harness_orion.reading.frame import captured_object
from harness_orion.reading.frontend import parameters, read_body
from harness_orion.reading.values import SPACE
from harness_orion.space import Entries, Grid, Space

Array = NDArray[Any]
WORK: Any = 10_000


def bind(function: FunctionType, given: tuple[Any, ...], where: str) -> dict[str, Any]:
    """Name the arguments of a loop; plain arrays become DistArrays."""
    names = parameters(function)
    if len(names) != len(given):
        raise HarnessError(
            f"{function.__name__} takes {', '.join(names) or 'no arrays'}; {len(given)} given", where=where
        )
    return {n: DistArray(a) if isinstance(a, np.ndarray) else a for n, a in zip(names, given, strict=True)}


def read_loop(function: FunctionType, space: Space, arguments: Mapping[str, Any], where: str) -> Body:
    """Read a loop's body, knowing its arguments; raise HarnessError where memory is shared unseen."""
    facts = {name: _facts(name, thing, arguments, where) for name, thing in arguments.items()}
    over = space_array(space, arguments)
    truths = any(isinstance(c, np.ndarray) and c.dtype.kind == "b" for c in _columns(space))
    body = read_body(function, ndim=len(space.shape), arguments=facts, space_array=over, truths=truths)
    _check_memory(_memory(body, function, space, arguments, over), where)
    if body.is_written(SPACE) and any(not isinstance(c, np.ndarray) or c.dtype == object for c in _columns(space)):
        place = next(a.place for a in body.of(SPACE) if a.mode == "write")
        raise HarnessError("val is changed, and entries may share it; keep values in an array", where=str(place))
    return body


def _facts(name: str, thing: Any, arguments: Mapping[str, Any], where: str) -> Argument:
    if isinstance(thing, DistArray):
        return ArrayFacts(thing.shape, thing.dtype.itemsize, thing.dtype.kind == "b")
    if isinstance(thing, Accumulator):
        return Role.ACCUMULATOR
    if isinstance(thing, DistArrayBuffer):
        return BufferOf(tuple(_name_of(a, name, arguments, where) for a in thing.arrays))
    if isinstance(thing, bool | np.bool_):
        return Role.TRUTH
    if isinstance(thing, int | float | np.number):
        return Role.NUMBER
    wanted = "a DistArray, an array, a DistArrayBuffer, an Accumulator or a number"
    raise HarnessError(f"{name} is of type {type(thing).__name__}; pass {wanted}", where=where)


def _name_of(array: DistArray, buffer: str, arguments: Mapping[str, Any], where: str) -> str:
    for name, thing in arguments.items():
        if isinstance(thing, DistArray) and (thing is array or thing.values is array.values):
            return name
    raise HarnessError(f"{buffer} changes an array that the loop is not given; pass it too", where=where)


def space_array(space: Space, arguments: Mapping[str, Any]) -> str | None:
    """The argument that the loop runs over itself."""
    if not isinstance(space, Grid) or space.values is None or any(space.origin) or space.values.shape != space.shape:
        return None
    return next((n for n, a in arguments.items() if isinstance(a, DistArray) and a.values is space.values), None)


def _memory(
    body: Body, function: FunctionType, space: Space, arguments: Mapping[str, Any], over: str | None
) -> list[tuple[str, Array]]:
    found = [(n, a.values) for n, a in arguments.items() if isinstance(a, DistArray)]
    found += [(n, np.asarray(a.value)) for n, a in arguments.items() if isinstance(a, Accumulator)]
    if over is None:
        found += [("the iteration space", c) for c in _columns(space) if isinstance(c, np.ndarray)]
        if isinstance(space, Entries):
            found += [("the iteration space's indices", i) for i in space.indices]
    for name in body.captured:
        known = captured_object(function, name)
        if known is not None and isinstance(known.thing, np.ndarray):
            found.append((name, known.thing))
    return found


def _check_memory(arrays: list[tuple[str, Array]], where: str) -> None:
    for name, array in arrays:
        if _overlaps_itself(array):
            raise HarnessError(f"elements of {name} share memory; pass a copy: np.array({name})", where=where)
    for (a, x), (b, y) in combinations(arrays, 2):
        if np.may_share_memory(x, y) and _shares(x, y):
            raise HarnessError(f"{a} and {b} share memory; pass each array once, or a copy", where=where)


def _shares(x: Array, y: Array) -> bool:
    try:
        return np.shares_memory(x, y, max_work=WORK)
    except np.exceptions.TooHardError:
        return True


def _overlaps_itself(array: Array) -> bool:
    """Whether two elements may be one in memory, as after ``broadcast_to``: each stride must clear the smaller ones."""
    reach = array.itemsize
    for stride, extent in sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1):
        if stride < reach:
            return True
        reach += stride * (extent - 1)
    return False


def _columns(space: Space) -> tuple[Any, ...]:
    return space.values if isinstance(space.values, tuple) else (space.values,)
