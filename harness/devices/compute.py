"""How many threads a worker's numerical libraries compute with."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def compute_threads(count: int) -> Iterator[None]:
    """Have BLAS, OpenMP, torch and numba compute with ``count`` threads in this process.

    Libraries that are loaded already are told; those still to come read the environment.
    """
    with ExitStack() as stack:
        stack.enter_context(_environment(count))
        stack.enter_context(numba_threads(count))  # first: when numba starts its threads it sets OpenMP's, torch's too
        if importlib.util.find_spec("threadpoolctl"):
            threadpoolctl = importlib.import_module("threadpoolctl")
            stack.enter_context(threadpoolctl.threadpool_limits(count))
        if torch := sys.modules.get("torch"):
            stack.enter_context(_threads(torch, count))
        yield


def numba_threads(count: int) -> AbstractContextManager[None]:
    """Tell numba, if it is loaded; its setting holds for the calling thread alone."""
    numba = sys.modules.get("numba")
    return _threads(numba, min(count, numba.config.NUMBA_NUM_THREADS)) if numba else nullcontext()


@contextmanager
def _threads(library: Any, count: int) -> Iterator[None]:
    before = library.get_num_threads()
    library.set_num_threads(count)
    try:
        yield
    finally:
        library.set_num_threads(before)


@contextmanager
def _environment(count: int) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in VARIABLES}
    os.environ.update(dict.fromkeys(VARIABLES, str(count)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
