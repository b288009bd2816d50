"""Focus for the harness: video divided between ingest and query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Dataset, Metric, Parallelizer, Workload, hookimpl
from harness_focus.declared import DATASETS
from harness_focus.metrics import METRICS
from harness_focus.parallelizers import PARALLELIZERS
from harness_focus.workload import VideoWorkload
from harness_focus.workloads import Bikes, ComposedStream, Surveillance

if TYPE_CHECKING:
    from harness.store import Run

__all__ = ["VideoWorkload"]


@hookimpl
def harness_workloads() -> Iterable[type[Workload]]:
    """Composed streams, and two real videos."""
    return (ComposedStream, Surveillance, Bikes)


@hookimpl
def harness_parallelizers() -> Iterable[type[Parallelizer[Any]]]:
    """Focus, and what the paper holds it against."""
    return PARALLELIZERS


@hookimpl
def harness_metrics() -> Iterable[type[Metric]]:
    """What ingest and queries cost, and how right the answers are."""
    return METRICS


@hookimpl
def harness_datasets() -> Iterable[Dataset]:
    """Videos, and networks' weights."""
    return DATASETS


@hookimpl
def harness_commands() -> Mapping[str, str]:
    """``harness focus``: index videos, and query them."""
    return {"focus": "harness_focus.commands:app"}


@hookimpl
def harness_report_sections(run: Run) -> Iterable[tuple[str, str]]:
    """What could be chosen between ingest and query cost, and what is saved as streams get longer."""
    from harness_focus import report, savings

    return [*report.sections(run), *savings.sections(run)]


@hookimpl
def harness_suites() -> Iterable[Path]:
    """The paper's comparison, and how it changes with the length of the stream."""
    return sorted((Path(__file__).parent / "suites").glob("*.toml"))
