"""STRSAGA for the harness: variance-reduced SGD over data that arrive over time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness import Metric, Parallelizer, Workload, hookimpl
from harness_strsaga.metrics import METRICS
from harness_strsaga.parallelizers import PARALLELIZERS, SteppedParallelizer, StreamParallelizer
from harness_strsaga.workload import StreamWorkload
from harness_strsaga.workloads import WORKLOADS

__all__ = ["SteppedParallelizer", "StreamParallelizer", "StreamWorkload"]


@hookimpl
def harness_workloads() -> Iterable[type[Workload]]:
    """Streams of real data."""
    return WORKLOADS


@hookimpl
def harness_parallelizers() -> Iterable[type[Parallelizer[Any]]]:
    """STRSAGA, and what the paper holds it against."""
    return PARALLELIZERS


@hookimpl
def harness_metrics() -> Iterable[type[Metric]]:
    """How good the model was as the stream went by, and what a gradient cost."""
    return METRICS


@hookimpl
def harness_suites() -> Iterable[Path]:
    """The paper's comparison."""
    return sorted((Path(__file__).parent / "suites").glob("*.toml"))
