"""PipeDream for the harness: profile a model, plan a pipeline over workers, train with weight stashing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness import Metric, Parallelizer, Workload, hookimpl
from harness_pipedream.metrics import METRICS
from harness_pipedream.parallelizers import PARALLELIZERS
from harness_pipedream.plan_only import PlanOnly
from harness_pipedream.planning.plan import Plan, Stage
from harness_pipedream.profiling.profile import Layer, Profile
from harness_pipedream.profiling.published import PublishedProfile

__all__ = ["Layer", "Plan", "Profile", "PublishedProfile", "Stage"]


@hookimpl
def harness_workloads() -> Iterable[type[Workload]]:
    """Published profiles in place of models."""
    return (PublishedProfile,)


@hookimpl
def harness_parallelizers() -> Iterable[type[Parallelizer[Any]]]:
    """PipeDream, and the pipelines that it is held against."""
    return (PlanOnly, *PARALLELIZERS)


@hookimpl
def harness_metrics() -> Iterable[type[Metric]]:
    """What a plan promises, and what planning took."""
    return METRICS


@hookimpl
def harness_suites() -> Iterable[Path]:
    """The paper's comparisons."""
    return sorted((Path(__file__).parent / "suites").glob("*.toml"))


@hookimpl
def harness_commands() -> Mapping[str, str]:
    """``harness pipedream``: plan and explain without training."""
    return {"pipedream": "harness_pipedream.commands:app"}


@hookimpl
def harness_report_sections(run: Any) -> Iterable[tuple[str, str]]:
    """The plans that the cells ran."""
    from harness_pipedream.report import sections

    return sections(run)
