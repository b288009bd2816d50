"""Asking for memory ahead of its use, in generated code: keys in random order tell nobody else what comes next."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from typing import Any

from llvmlite import ir as llvm  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.core.typing.templates import Signature
from numba.extending import intrinsic

KEEP, DATA = 3, 1  # in all caches; not instructions


@intrinsic
def fetch(_context: Any, array: types.Array, _index: types.Integer, _byte: types.Integer) -> tuple[Signature, Any]:
    """Bring a byte of the array under an index to the cache, where it will be written; wrong indices do no harm."""
    signature = types.void(array, types.int64, types.int64)

    def generate(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        memory = context.make_array(array)(context, builder, given[0])
        stride = builder.extract_value(memory.strides, 0)
        offset = builder.add(builder.mul(given[1], stride), given[2])
        place = cgutils.pointer_add(builder, memory.data, offset)
        number = llvm.IntType(32)
        kind = llvm.FunctionType(llvm.VoidType(), [place.type, number, number, number])
        called = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(called, [place, *(number(n) for n in (1, KEEP, DATA))])
        return context.get_dummy_value()

    return signature, generate
