"""Suites as asv benchmarks: one ``track_*`` method a metric, its parameter the group of cells, its samples the seeds.

asv runs the suite once a commit (``setup_cache``), through the command line of the harness of that
commit, and every benchmark reads what came of it. asv takes lower for better: a metric of which more is
better is tracked as a cost. A cell that failed, or did not reach its target, fails its benchmark; what
was not measured is skipped. asv calls a change significant from seven samples a side on: seeds times rounds.
"""

from __future__ import annotations

import hashlib
import json
import linecache
import math
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.components import Metric
from harness.errors import HarnessError
from harness.records import CellSpec
from harness.registry import Registry
from harness.registry import load as load_registry
from harness.suite import Suite, locate
from harness.suite import load as load_suite

SUITE_SECONDS = 1800
Groups = Mapping[str, list[dict[str, Any]]]
MEASURED = {"id", "workload", "parallelizer", "device", "seed", "budget", "numerics", "python", "alone"}

# asv tells the results of one setup_cache from another's by module and line, so a module's suites share one source.
SOURCE = '''
class {name}:
    """{title}"""

    timeout = {timeout}
    param_names = ["cells"]
    params = [{groups!r}]

    def setup_cache(self):
        return run_suite({path!r})
'''
METHOD = '''
    def {method}(self, results, cells):
        """{summary}"""
        return samples(results[cells], {label!r}, {cost!r})

    {method}.unit = {unit!r}
    {method}.rounds = 2
    {method}.version = {version!r}
'''


@dataclass(frozen=True)
class Tracked:
    """A metric as asv has it: under a name and a unit in which less is better."""

    label: str
    metric: type[Metric]

    @property
    def cost(self) -> str:
        """How it becomes a cost: not at all, as what is missing to 1, or as its inverse."""
        if self.metric.better == "lower":
            return ""
        return "shortfall" if self.metric.unit == "share" else "inverse"

    @property
    def method(self) -> str:
        """The benchmark's name."""
        label = _identifier(self.label)
        return {"": f"track_{label}", "shortfall": f"track_1_minus_{label}", "inverse": f"track_1_over_{label}"}[
            self.cost
        ]

    @property
    def unit(self) -> str:
        """The unit of the cost."""
        unit = self.metric.unit
        return {"": unit, "shortfall": unit, "inverse": f"1 / ({unit})"}[self.cost]


def track(namespace: dict[str, Any], *paths: str | Path) -> None:
    """Define a benchmark class for each suite, by its path or a plugin's name, in an asv module's namespace: once."""
    registry = load_registry()
    namespace.update(run_suite=run_suite, samples=samples)
    located = [locate(str(given), registry).resolve() for given in paths]
    source = "".join(source_of(load_suite(path, registry), path, registry) for path in located)
    file = f"<asv {namespace['__name__']}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(source, file, "exec"), namespace)  # noqa: S102


def source_of(suite: Suite, path: Path, registry: Registry) -> str:
    """The source of a suite's benchmark class."""
    groups = list(dict.fromkeys(group_of(cell.id) for cell in suite.cells))
    text = SOURCE.format(
        name=_identifier(suite.name), title=_quoted(suite.title), timeout=SUITE_SECONDS, groups=groups, path=str(path)
    )
    for one in tracked(suite.cells, registry):
        summary, version = _quoted(one.metric.summary()), version_of(one, suite.cells)
        text += METHOD.format(
            method=one.method, summary=summary, label=one.label, cost=one.cost, unit=one.unit, version=version
        )
    return text


def tracked(cells: Iterable[CellSpec], registry: Registry) -> list[Tracked]:
    """The metrics that some cell takes."""
    metrics = {metric.label: metric.name for cell in cells for metric in cell.metrics}
    return [Tracked(label, registry.offer("metric", name).thing) for label, name in metrics.items()]


def version_of(one: Tracked, cells: Iterable[CellSpec]) -> str:
    """A digest of what the metric measures, and on which cells; asv begins its history anew when it changes.

    A comment, a claim, another metric, a limit, or what this machine lacks is no part of it.
    """
    measured = [
        (cell.model_dump(mode="json", include=MEASURED), metric.model_dump(mode="json"))
        for cell in cells
        for metric in cell.metrics
        if metric.label == one.label
    ]
    measured.sort(key=lambda pair: pair[0]["id"])
    return hashlib.sha256(json.dumps([one.method, one.unit, measured], sort_keys=True).encode()).hexdigest()


def run_suite(path: str) -> Groups:
    """Run a suite in the folder that asv gives; its cells by group, as ``harness run --json`` tells of them."""
    command = [sys.executable, "-m", "harness", "run", path, "--json", "-o", f"run-{os.getpid()}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SUITE_SECONDS, check=False)
    if done.returncode not in (0, 1):
        raise HarnessError(done.stderr.strip().removeprefix("error: ") or f"status {done.returncode}", where=path)
    groups: dict[str, list[dict[str, Any]]] = {}
    for cell in json.loads(done.stdout)["cells"]:
        groups.setdefault(group_of(cell["id"]), []).append(cell)
    return groups


def samples(cells: list[dict[str, Any]], label: str, cost: str) -> dict[str, Any] | float:
    """One metric of a group's cells, a sample a seed; NaN, which asv takes as skipped, where it was not measured."""
    for cell in cells:
        if cell["outcome"] in ("failed", "timeout"):
            raise HarnessError(f"{cell['id']} {cell['outcome']}: {cell['reason']}")
        if label in cell["censored"]:
            raise HarnessError(f"{cell['id']} did not reach its target: {label} is at least {cell['censored'][label]}")
    values = [value for cell in cells if (value := cell["metrics"].get(label)) is not None]
    costs = [_cost(value, cost) for value in values]
    return {"samples": costs, "number": 1} if costs else math.nan


def group_of(cell: str) -> str:
    """What the cells of a group share: all of an id but the suite and the seed."""
    return cell.partition("/")[2].rpartition("/")[0]


def _cost(value: float, kind: str) -> float:
    if kind == "shortfall":
        return 1 - value
    if kind == "inverse":
        return 1 / value if value else math.inf
    return value


def _identifier(text: str) -> str:
    """A name that Python can have."""
    return "".join(letter if letter.isalnum() else "_" for letter in text)


def _quoted(text: str) -> str:
    """Text that cannot end the docstring around it."""
    return text.replace("\\", " ").replace('"', "'")
