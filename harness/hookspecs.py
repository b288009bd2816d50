"""The hooks (pluggy; entry-point group ``harness``): what a plugin may provide, what it may observe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from harness.components import Device, Estimator, Metric, Parallelizer, Workload
    from harness.data import Dataset
    from harness.records import CellResult, CellSpec
    from harness.store import Run

hookspec = pluggy.HookspecMarker("harness")
hookimpl = pluggy.HookimplMarker("harness")


@hookspec
def harness_workloads() -> Iterable[type[Workload]]:  # type: ignore[empty-body]
    """Workload classes."""


@hookspec
def harness_parallelizers() -> Iterable[type[Parallelizer[Any]]]:  # type: ignore[empty-body]
    """Parallelizer classes."""


@hookspec
def harness_devices() -> Iterable[type[Device]]:  # type: ignore[empty-body]
    """Device classes."""


@hookspec
def harness_metrics() -> Iterable[type[Metric]]:  # type: ignore[empty-body]
    """Metric classes."""


@hookspec
def harness_datasets() -> Iterable[Dataset]:  # type: ignore[empty-body]
    """Data sets, each declared with its source, checksum, size and licence."""


@hookspec
def harness_suites() -> Iterable[Path]:  # type: ignore[empty-body]
    """Suite files that come with the plugin; ``harness run NAME`` finds them by their stem."""


@hookspec
def harness_estimators() -> Iterable[Estimator]:  # type: ignore[empty-body]
    """Estimators for claims that no formula expresses, such as a rank correlation."""


@hookspec
def harness_commands() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Command name -> ``"module:app"``, a typer app that is imported on use."""


@hookspec
def harness_cell_started(cell: CellSpec) -> None:
    """Observe that a cell is about to run; called in the engine's process."""


@hookspec
def harness_cell_finished(cell: CellSpec, result: CellResult) -> None:
    """Observe that a cell ended, whatever its outcome."""


@hookspec
def harness_report_sections(run: Run) -> Iterable[tuple[str, str]]:  # type: ignore[empty-body]
    """Sections for a run's page: (title, trusted HTML)."""


@hookspec
def harness_environment() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Facts about this machine to store with each run."""
