"""A run reduced to what tables, pages and JSON show: cells, groups of cells, claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from harness.claims import judge
from harness.components import Censored, Metric
from harness.errors import UnknownName
from harness.records import CellResult, CellSpec, ClaimResult, GroupKey
from harness.registry import NotInstalled, Registry
from harness.statistics import Estimate, estimate
from harness.store import Run


@dataclass(frozen=True)
class Group:
    """The cells that differ in their seed alone, and each metric's median over them with its interval."""

    suite: str
    workload: str
    parallelizer: str
    device: str
    outcomes: Mapping[str, int]
    metrics: Mapping[str, Estimate | None]
    unreached: Mapping[str, int]
    prepare_seconds: float | None

    @property
    def key(self) -> GroupKey:
        """What its cells have in common."""
        return (self.suite, self.workload, self.parallelizer, self.device)


@dataclass(frozen=True)
class Summary:
    """Everything that a run shows."""

    run: Run
    results: Mapping[str, CellResult]
    groups: tuple[Group, ...]
    claims: tuple[ClaimResult, ...]
    units: Mapping[str, str]

    @property
    def verdicts(self) -> list[tuple[str, Mapping[str, int]]]:
        """Each suite's title, and how many of its claims have which verdict."""
        return [
            (suite.title, Counter(claim.verdict for claim in self.claims if claim.suite == suite.name))
            for suite in self.run.record.suites
        ]

    @property
    def missing(self) -> int:
        """How many cells have no result."""
        return len(self.run.record.cells) - len(self.results)

    @property
    def failed(self) -> list[CellResult]:
        """The cells that did not end well, skipped ones aside."""
        return [result for result in self.results.values() if result.outcome in ("failed", "timeout")]


def summarise(run: Run, registry: Registry) -> Summary:
    """Work out groups and claims from what is stored."""
    results = run.results()
    groups: dict[GroupKey, list[CellSpec]] = {}
    for cell in run.record.cells:
        groups.setdefault(cell.group, []).append(cell)
    return Summary(
        run,
        results,
        tuple(_group(key, cells, results) for key, cells in groups.items()),
        tuple(claim for suite in run.record.suites for claim in _claims(run, suite.name, results, registry)),
        {label: cls.unit for label, cls in _metrics(run.record.cells, registry).items()},
    )


def _group(key: GroupKey, cells: list[CellSpec], results: Mapping[str, CellResult]) -> Group:
    found = [results[cell.id] for cell in cells if cell.id in results]
    labels = [metric.label for metric in cells[0].metrics]
    prepared = [r.prepare_seconds for r in found if r.prepare_seconds is not None]
    return Group(
        *key,
        outcomes=Counter(r.outcome for r in found) + Counter({"missing": len(cells) - len(found)}),
        metrics={label: _median([v for r in found if isinstance(v := r.measured(label), float)]) for label in labels},
        unreached={label: sum(isinstance(r.measured(label), Censored) for r in found) for label in labels},
        prepare_seconds=estimate(prepared, ratio=False).value if prepared else None,
    )


def _median(values: list[float]) -> Estimate | None:
    return estimate(values, ratio=False) if values else None


def _claims(run: Run, suite: str, results: Mapping[str, CellResult], registry: Registry) -> list[ClaimResult]:
    (record,) = (s for s in run.record.suites if s.name == suite)
    cells = [cell for cell in run.record.cells if cell.suite == suite]
    exact = {label for label, cls in _metrics(cells, registry).items() if cls.exact}
    estimators = {offer.name: offer.thing for offer in registry.of_kind("estimator")}
    judged = judge(record.claims, cells, results, exact=exact, estimators=estimators)
    return [claim.model_copy(update={"suite": suite}) for claim in judged]


def _metrics(cells: Iterable[CellSpec], registry: Registry) -> dict[str, type[Metric]]:
    """The class of each metric that the cells take, by label; one whose plugin is gone is left out."""
    found: dict[str, type[Metric]] = {}
    for metric in {metric.label: metric for cell in cells for metric in cell.metrics}.values():
        with suppress(NotInstalled, UnknownName):
            found[metric.label] = registry.offer("metric", metric.name).thing
    return found


def as_json(summary: Summary) -> dict[str, Any]:
    """The object that ``--json`` prints."""
    return {
        "run": str(summary.run.folder),
        "cells": [_cell_json(cell, summary.results.get(cell.id)) for cell in summary.run.record.cells],
        "claims": [claim.model_dump(mode="json") for claim in summary.claims],
    }


def _cell_json(cell: CellSpec, result: CellResult | None) -> dict[str, Any]:
    return {
        "id": cell.id,
        "workload": cell.workload.label,
        "parallelizer": cell.parallelizer.label,
        "device": cell.device.label,
        "seed": cell.seed,
        "outcome": result.outcome if result else "missing",
        "reason": result.reason if result else "not run",
        "metrics": result.metrics if result else {},
        "censored": result.censored if result else {},
    }
