"""How the inner loops are compiled, and the types of the arrays that they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Columns = NDArray[np.int32]
Words = NDArray[np.uint64]

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a loop once per machine, without the interpreter's lock; multiply-adds may be fused.

    The compiled code is kept in ``__pycache__``. An edit of what a loop calls in another file is not
    noticed there: touch the loop's own file too.
    """
    return _compiled(function, {"contract"})


def compiled_sum(function: F) -> F:
    """Compile a loop that sums, letting vector units reorder it; NaN and infinity keep their meaning.

    Only for sums: reordering elsewhere moves divisions into the loops that they were hoisted from.
    """
    return _compiled(function, {"contract", "reassoc", "nsz"})


def _compiled(function: F, fastmath: set[str]) -> F:
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=fastmath)(function))
