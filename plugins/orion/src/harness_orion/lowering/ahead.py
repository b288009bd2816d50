"""What an iteration a few turns ahead will touch, asked for now: entries in random order give no other hint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from harness.devices.payload import LINE
from harness_orion.lowering.beside import Beside
from harness_orion.lowering.fuse import Uses, users
from harness_orion.lowering.ir import Elem, Loop, Set, Stmt
from harness_orion.space import Entries, Space

TURNS = 8
MOST = 512  # bytes under one index: longer stretches are what the processor foresees by itself
SMALL = 2**16  # bytes of an array that stays in the cache anyway


def fetches(
    statements: Sequence[Stmt], names: Sequence[str], space: Space, arrays: Mapping[str, NDArray[Any]], beside: Beside
) -> list[str]:
    """Lines that fetch what the key selects of large arrays ``TURNS`` entries ahead; none for a dense space.

    ``names`` are those of the key's numbers.
    """
    if not isinstance(space, Entries):
        return []
    large = {name: array for name, array in {**arrays, **beside.memories}.items() if array.nbytes > SMALL}
    found = sorted(
        {(e.array, names.index(str(e.subscripts[0]))) for e in _elements(statements) if e.subscripts[0] in names}
    )
    lines = [
        f"fetch({array}, soon{dim}, {byte})"
        for array, dim in found
        if array in large
        for byte in _bytes(large[array].strides[0], begins=array in beside.memories)
    ]
    if not lines:
        return []
    dims = sorted({dim for array, dim in found if array in large})
    soon = f"soon = min(e + {TURNS}, stop - 1)"
    return [soon, *(f"soon{d} = np.int64(key{d}[soon])" for d in dims), *lines]


def _elements(statements: Sequence[Stmt]) -> Iterator[Elem]:
    """All elements of arrays that statements read or write."""
    for s, _ in users(statements):
        if isinstance(s, Set | Loop):
            uses = Uses.of([s] if isinstance(s, Set) else [*s.first, *s.sets])
            yield from (e for e in uses.reads | uses.writes if isinstance(e, Elem))


def _bytes(size: int, *, begins: bool) -> list[int]:
    """One byte of each cache line that so many bytes may lie in; ``begins``: the first begins with a line."""
    size = min(abs(size), MOST)
    every = [*range(0, size, LINE)]
    return every if begins or size <= LINE // 4 else sorted({*every, size - 1})
