"""Running sums in generated code: a few elements at a time by shifts and additions, not each after the last.

LLVM vectorizes no loop whose turn needs the sum so far. Here a vector is summed along itself in log2(lanes) steps, in
each of which half of every group takes the last sum of the other (Sklansky, 1960); only the sum of all before waits.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from typing import Any

from llvmlite import ir as llvm  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.core.typing.templates import Signature
from numba.extending import intrinsic

BYTES = 32  # of a vector; the compiler splits it where the processor's are shorter
INDEX = llvm.IntType(64)
LANE = llvm.IntType(32)


@intrinsic
def accumulate(_context: Any, row: types.Array, _length: types.Integer) -> tuple[Signature, Any]:
    """Make each of a row's first elements, which are floats side by side in memory, the sum up to it."""

    def generate(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        first = context.make_array(row)(context, builder, given[0]).data
        zero = llvm.Constant(context.get_value_type(row.dtype), 0.0)
        size = context.get_abi_sizeof(zero.type)
        lanes = BYTES // size
        whole = builder.and_(given[1], INDEX(-lanes))
        so_far = _by_vectors(builder, first, whole, llvm.VectorType(zero.type, lanes), size)
        total = cgutils.alloca_once_value(builder, so_far)
        with cgutils.for_range_slice(builder, whole, given[1], INDEX(1), inc=True) as (k, _):
            place = builder.gep(first, [k])
            builder.store(builder.fadd(builder.load(total), builder.load(place)), total)
            builder.store(builder.load(total), place)
        return context.get_dummy_value()

    return types.void(row, types.int64), generate


def _by_vectors(builder: Any, first: Any, stop: Any, vector: llvm.VectorType, size: int) -> Any:
    """Sum the elements before ``stop``, a number of whole vectors; the value is the sum of all of them."""
    lanes, nothing = vector.count, llvm.Constant(vector, [0.0] * vector.count)
    before = cgutils.alloca_once_value(builder, nothing)
    with cgutils.for_range_slice(builder, INDEX(0), stop, INDEX(lanes), inc=True) as (k, _):
        place = builder.bitcast(builder.gep(first, [k]), vector.as_pointer())
        here = builder.load(place, align=size)
        for step in (1 << n for n in range(lanes.bit_length() - 1)):
            last = [lane // step * step - 1 if lane & step else lanes for lane in range(lanes)]  # ``lanes``: a zero
            here = builder.fadd(here, builder.shuffle_vector(here, nothing, _lanes(last)))
        sums = builder.load(before)
        builder.store(builder.fadd(here, sums), place, align=size)
        total = builder.shuffle_vector(here, nothing, _lanes([lanes - 1] * lanes))
        builder.store(builder.fadd(sums, total), before)
    return builder.extract_element(builder.load(before), LANE(0))


def _lanes(numbers: list[int]) -> Any:
    return llvm.Constant(llvm.VectorType(LANE, len(numbers)), numbers)
