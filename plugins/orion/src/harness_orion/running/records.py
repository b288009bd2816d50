"""Arrays that one index selects from, side by side: an iteration touches fewer lines of the cache, and fewer pages.

A row of each array follows that of the other, as the fields of a record do, from the beginning of a line: the longest
first, whose vectors then lie across no lines. So does a single array whose rows would lie across lines.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from numpy.typing import NDArray

from harness.devices.payload import LINE, aligned
from harness_orion.analysis.plan import Plan
from harness_orion.arrays import DistArray
from harness_orion.reading.affine import Affine

MOST = 1024  # bytes of a record: of a longer row each array has lines of its own anyway
WASTE = 1.5  # times the bytes that a record may take


def lay_side_by_side(plan: Plan, arguments: Mapping[str, Any]) -> None:
    """Move arrays that one index of the loop selects from, and nothing else does, to where they lie together.

    An array that somebody else holds stays where it is, and one that lies beside others already.
    """
    for together in _groups(plan, arguments):
        widths = [_row(array) // array.dtype.itemsize for array in together]
        size = _padded(held := sum(map(_row, together)))
        if size <= min(MOST, WASTE * held) and -(-size // LINE) < sum(map(_lines, together)):
            dtype = together[0].dtype
            memory = aligned((len(together[0].values), size // dtype.itemsize), dtype)
            memory[...] = 0
            for array, end, width in zip(together, accumulate(widths), widths, strict=True):
                array.lie_in(memory, end - width)


def _groups(plan: Plan, arguments: Mapping[str, Any]) -> Iterator[Sequence[DistArray]]:
    """Arrays of the same rows, type and index, those of the longest rows first."""
    body = plan.body
    buffered = {name for names in body.buffers.values() for name in names}
    found: dict[Any, list[DistArray]] = {}
    for name, array in arguments.items():
        firsts = {access.subscripts[:1] for access in body.of(name)} if isinstance(array, DistArray) else set()
        if len(firsts) == 1 and name not in buffered and array.values.ndim <= 2 and _is_ours(array):
            first = firsts.pop()
            if first in [(Affine.index(d, body.ndim),) for d in range(body.ndim)]:
                found.setdefault((first, len(array.values), array.dtype), []).append(array)
    yield from (sorted(together, key=_row, reverse=True) for together in found.values())


def _is_ours(array: DistArray) -> bool:
    """Whether nobody else sees the memory: counted are the array's own name for it, and the call's."""
    return array.place is None and array.values.base is None and sys.getrefcount(array.values) == 2


def _row(array: DistArray) -> int:
    """The bytes of a row."""
    return array.dtype.itemsize * (array.shape[1] if array.values.ndim == 2 else 1)


def _lines(array: DistArray) -> float:
    """The lines that a row lies in, on the average."""
    size, first = _row(array), array.values.ctypes.data
    if (size % LINE == 0 or LINE % size == 0) and first % min(size, LINE) == 0:
        return -(-size // LINE)
    return 1 + (size - array.dtype.itemsize) / LINE


def _padded(size: int) -> int:
    """Whole lines, or a part of one that divides it."""
    return -(-size // LINE) * LINE if size > LINE // 2 else 1 << (size - 1).bit_length()


def aligned_copy(array: NDArray[Any]) -> NDArray[Any]:
    """A copy in C order, from the beginning of a line."""
    made = aligned(array.shape, array.dtype)
    made[...] = array
    return made
