"""Flushing buffers: additions at once, other changes by compiled code where ``apply`` can be lowered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness_orion.arrays import DistArrayBuffer
from harness_orion.compiling.files import loaded, written

HEAD = '''"""How a buffer reaches its array, compiled by harness-orion."""

import math

import numba
import numpy as np


@numba.njit(nogil=True, cache=True, error_model="numpy")
'''


@dataclass(frozen=True)
class Flush:
    """Applies a buffer's changes; ``why`` says what stands in the way of compiling it."""

    run: Callable[..., None] | None
    why: str = ""

    def __call__(self, buffer: DistArrayBuffer) -> None:
        """Apply every change to the target, and start anew."""
        arrays = [a.values for a in buffer.arrays]
        if self.run is None or not all(a.flags.c_contiguous for a in arrays):
            buffer.flush()
            return
        found = np.flatnonzero(buffer.written)
        if not len(found):
            return
        values = [b.values.reshape(-1) for b in buffer.buffers]
        self.run(found, *(a.reshape(-1) for a in arrays), *values)
        for other, flat in zip(buffer.buffers, values, strict=True):
            if other is not buffer:
                found = np.flatnonzero(other.written)
            flat[found] = other.init
            other.written.reshape(-1)[found] = False


def build_flush(buffer: DistArrayBuffer) -> Flush:
    """Compile a buffer's flush; where that cannot be, ``apply`` is called for each element."""
    from harness_orion.lowering.flush import flush_text

    try:
        run: Any = loaded(written("flush", HEAD + flush_text(buffer))).run
        nothing = [np.empty(0, a.dtype) for a in (*buffer.arrays, *(b.target for b in buffer.buffers))]
        run(np.empty(0, np.int64), *nothing)
    except Exception as error:
        return Flush(None, f"{type(error).__name__}: {error}".splitlines()[0])
    return Flush(run)
