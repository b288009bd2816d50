"""Orion for the harness: serial loops over arrays, parallelized where their dependences allow."""

from __future__ import annotations

from collections.abc import Mapping

from harness import hookimpl
from harness_orion.arrays import Accumulator, DistArray, DistArrayBuffer
from harness_orion.explanation import explain
from harness_orion.loop import Loop, parallel_for
from harness_orion.plan import Plan
from harness_orion.scheduling import Block, schedule
from harness_orion.space import Entries, Grid

__all__ = [
    "Accumulator",
    "Block",
    "DistArray",
    "DistArrayBuffer",
    "Entries",
    "Grid",
    "Loop",
    "Plan",
    "explain",
    "parallel_for",
    "schedule",
]


@hookimpl
def harness_commands() -> Mapping[str, str]:
    """``harness orion``: what a loop allows to run at once, and why."""
    return {"orion": "harness_orion.commands:app"}
