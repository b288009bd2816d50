"""How many threads a worker's numerical libraries compute with."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def compute_threads(count: int) -> Iterator[None]:
    """Have BLAS, OpenMP, torch and numba compute with ``count`` threads in this process.

    Libraries that are loaded already are told; those still to come read the environment.
    """
    with ExitStack() as stack:
        stack.enter_context(_environment(count))
        if importlib.util.find_spec("threadpoolctl"):
            threadpoolctl = importlib.import_module("threadpoolctl")
            stack.enter_context(threadpoolctl.threadpool_limits(count))
        stack.enter_context(_torch_threads(count))
        stack.enter_context(numba_threads(count))
        yield


@contextmanager
def numba_threads(count: int) -> Iterator[None]:
    """Tell numba, if it is loaded; its setting holds for the calling thread alone."""
    numba = sys.modules.get("numba")
    if numba is None:
        yield
        return
    before = numba.get_num_threads()
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    try:
        yield
    finally:
        numba.set_num_threads(before)


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
