"""Imported once by the fork server: brings in what cells will need, initialising nothing."""

from __future__ import annotations

import contextlib
import importlib
import os

from harness.registry import load

PRELOAD = "HARNESS_PRELOAD"
READING = ("numpy.ma", "numpy.random", "pyarrow.compute", "pyarrow.dataset", "pyarrow.ipc", "pyarrow.parquet")
RECORDS = ("harness.records:CellSpec", "harness.records:CellResult")


def bring(name: str) -> None:
    """Import a module, or build the model that ``module:class`` names, which it would else be at its first use."""
    module, _, model = name.partition(":")
    found = importlib.import_module(module)
    if model:
        getattr(found, model).model_rebuild()


load()
# What fails here fails again in the cell that needs it, where the error belongs.
for _name in ["harness.cell", *READING, *RECORDS, *os.environ.get(PRELOAD, "").split()]:
    with contextlib.suppress(Exception):
        bring(_name)
