"""A suite run once, block by block as its tests ask, and what each test is told of it."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.engine import begin, run_cells
from harness.records import CellResult, CellSpec, ClaimResult, ComponentSpec
from harness.registry import Registry
from harness.report.summary import summarise
from harness.report.wording import interval, number, paper
from harness.store import Run
from harness.suite import Suite

WALL_TIME = ComponentSpec(name="wall_time", label="wall_time")


@dataclass(frozen=True)
class SuiteRun:
    """The run of those of a suite's cells that were selected; ``over`` names the blocks that have run."""

    run: Run
    registry: Registry
    over: set[str] = field(default_factory=set)

    @classmethod
    def start(cls, suite: Suite, cells: Collection[str], folder: Path, registry: Registry) -> SuiteRun:
        """Make the run's folder; no cell runs yet."""
        selected = replace(suite, cells=tuple(cell for cell in suite.cells if cell.id in cells))
        return cls(begin([selected], folder, registry), registry)

    @property
    def folder(self) -> Path:
        """Where everything is kept."""
        return self.run.folder

    def results(self, cells: Sequence[CellSpec]) -> list[CellResult]:
        """The cells' results, once the whole blocks that they are in have run."""
        if waiting := {cell.block for cell in cells} - self.over:
            run_cells(self.run, self.registry, blocks=waiting)
            self.over.update(waiting)
        return [result for cell in cells if (result := self.run.result(cell))]

    @cached_property
    def claims(self) -> Mapping[str, ClaimResult]:
        """The claims by id, once every block has run."""
        run_cells(self.run, self.registry)
        return {claim.id: claim for claim in summarise(self.run, self.registry).claims}


def timing(suite: Suite) -> Suite:
    """Have every cell take its wall time, which the tests' statistics are of."""
    return replace(suite, cells=tuple(map(_timing, suite.cells)))


def _timing(cell: CellSpec) -> CellSpec:
    if any(_is_wall_time(metric) for metric in cell.metrics):
        return cell
    return cell.model_copy(update={"metrics": (*cell.metrics, WALL_TIME)})


def _is_wall_time(metric: ComponentSpec) -> bool:
    return metric.name.rpartition(":")[2] == WALL_TIME.name


def wall_seconds(results: Iterable[CellResult]) -> list[float]:
    """Each cell's wall time, where it was measured."""
    values = [
        result.metrics.get(metric.label)
        for result in results
        for metric in result.cell.metrics
        if _is_wall_time(metric)
    ]
    return [value for value in values if value is not None]


def extra_info(results: Sequence[CellResult], registry: Registry) -> dict[str, Any]:
    """What a group's cells gave: each metric's unit, median and samples, which are in the order of the seeds."""
    cell = results[0].cell
    return {
        "suite": cell.suite,
        "workload": cell.workload.label,
        "parallelizer": cell.parallelizer.label,
        "device": cell.device.label,
        "seeds": [result.cell.seed for result in results],
        "metrics": {metric.label: _samples(metric, results, registry) for metric in cell.metrics},
    }


def _samples(metric: ComponentSpec, results: Sequence[CellResult], registry: Registry) -> dict[str, Any]:
    component = registry.offer("metric", metric.name).thing
    samples = [result.metrics.get(metric.label) for result in results]
    known = [sample for sample in samples if sample is not None]
    return {
        "unit": component.unit,
        "better": component.better,
        "exact": component.exact,
        "median": statistics.median(known) if known else None,
        "samples": samples,
        "unreached": sum(metric.label in result.censored for result in results),
    }


def troubles(results: Iterable[CellResult]) -> str:
    """The outcome, reason and last output of each cell that did not end well; empty if all did."""
    return "\n".join(
        f"{result.cell.id} {result.outcome}: {result.reason}\n{result.output}".rstrip()
        for result in results
        if result.outcome in ("failed", "timeout")
    )


def against_the_paper(claim: ClaimResult, measure: str) -> str:
    """What the paper says beside what was measured here."""
    lines = [
        f"{claim.id} {claim.verdict}: {claim.says} ({claim.source})",
        f"paper: {paper(claim)}",
        f"here: {_measured(claim)}",
        f"holds if: {measure} {claim.holds}",
        claim.reason,
    ]
    return "\n".join(filter(None, lines))


def undecided(claim: ClaimResult, measure: str) -> str:
    """Why a claim neither holds nor falls short, in one line."""
    here = f"{measure} is {_measured(claim)}; holds if {claim.holds}" if claim.measured is not None else ""
    return f"{claim.id} {claim.verdict}: " + "; ".join(filter(None, (claim.reason, here)))


def _measured(claim: ClaimResult) -> str:
    return f"{number(claim.measured)}, 95 % interval {interval(claim)}, {claim.pairs} pairs"
