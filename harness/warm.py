"""Imported once by the fork server: brings in what cells will need, initialising nothing."""

from __future__ import annotations

import contextlib
import importlib
import os

from harness.registry import load

PRELOAD = "HARNESS_PRELOAD"
READING = ("numpy.ma", "numpy.random", "pyarrow.compute", "pyarrow.dataset", "pyarrow.ipc", "pyarrow.parquet")

# A module that fails here fails again in the cell that needs it, where the error belongs.
for _module in ["harness.cell", *READING, *os.environ.get(PRELOAD, "").split()]:
    with contextlib.suppress(Exception):
        importlib.import_module(_module)
load()
