"""Orion for the harness: serial loops over arrays, parallelized where their dependences allow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness import Metric, Parallelizer, Workload, hookimpl
from harness_orion.analysis.explanation import explain
from harness_orion.analysis.plan import Plan
from harness_orion.analysis.scheduling import Block, schedule
from harness_orion.arrays import Accumulator, DistArray, DistArrayBuffer
from harness_orion.loop import Loop, parallel_for
from harness_orion.metrics import METRICS
from harness_orion.parallelizers import PARALLELIZERS, LoopParallelizer
from harness_orion.space import Entries, Grid
from harness_orion.workloads import WORKLOADS
from harness_orion.workloads.loops import LoopWorkload

__all__ = [
    "Accumulator",
    "Block",
    "DistArray",
    "DistArrayBuffer",
    "Entries",
    "Grid",
    "Loop",
    "LoopParallelizer",
    "LoopWorkload",
    "Plan",
    "explain",
    "parallel_for",
    "schedule",
]


@hookimpl
def harness_workloads() -> Iterable[type[Workload]]:
    """The paper's applications."""
    return WORKLOADS


@hookimpl
def harness_parallelizers() -> Iterable[type[Parallelizer[Any]]]:
    """Orion, and what the paper holds it against."""
    return PARALLELIZERS


@hookimpl
def harness_metrics() -> Iterable[type[Metric]]:
    """How fast a loop ran, and how good it was on the way."""
    return METRICS


@hookimpl
def harness_suites() -> Iterable[Path]:
    """The paper's comparison."""
    return sorted((Path(__file__).parent / "suites").glob("*.toml"))


@hookimpl
def harness_commands() -> Mapping[str, str]:
    """``harness orion``: what a loop allows to run at once, and why."""
    return {"orion": "harness_orion.commands:app"}
