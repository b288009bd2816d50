"""What was measured, by group of cells and metric: read from a run's folder or from pytest-benchmark's JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.registry import Registry
from harness.store import Run


@dataclass(frozen=True)
class Samples:
    """One metric's values by seed; ``exact`` ones are the same each time."""

    by_seed: Mapping[int, float]
    lower_is_better: bool
    exact: bool

    def pairs(self, other: Samples) -> list[tuple[float, float]]:
        """This one's value and the other's for each seed that both have; what is negative has no ratio."""
        both = sorted(self.by_seed.keys() & other.by_seed.keys())
        found = [(self.by_seed[seed], other.by_seed[seed]) for seed in both]
        return [pair for pair in found if min(pair) >= 0]


Table = dict[tuple[str, str], Samples]


def read(path: Path, registry: Registry) -> Table:
    """Samples by (``suite/workload/parallelizer/device``, metric's label)."""
    return _of_benchmarks(path) if path.is_file() else _of_run(Run.open(path), registry)


def _of_run(run: Run, registry: Registry) -> Table:
    found: dict[tuple[str, str], dict[int, float]] = {}
    traits: dict[tuple[str, str], Any] = {}
    for name, result in run.results().items():
        for metric in result.cell.metrics:
            value = result.measured(metric.label)
            if isinstance(value, float):
                key = (name.rpartition("/")[0], metric.label)
                found.setdefault(key, {})[result.cell.seed] = value
                traits[key] = registry.offer("metric", metric.name).thing
    return {key: Samples(found[key], traits[key].better == "lower", traits[key].exact) for key in found}


def _of_benchmarks(path: Path) -> Table:
    """The suites' groups in a file of ``--benchmark-json``; other benchmarks are passed over."""
    try:
        benchmarks = [(one["name"], one["extra_info"]) for one in json.loads(path.read_bytes())["benchmarks"]]
        groups = [info for _, info in benchmarks if "metrics" in info]
        found = dict(entry for info in groups for entry in _entries(info))
    except (ValueError, LookupError, TypeError) as error:
        raise HarnessError(f"is no file of pytest-benchmark ({error!r})", where=str(path)) from None
    if not found:
        raise HarnessError("holds no benchmark of a suite: write it with pytest SUITE.toml", where=str(path))
    return found


def _entries(info: Mapping[str, Any]) -> list[tuple[tuple[str, str], Samples]]:
    name = "/".join(info[part] for part in ("suite", "workload", "parallelizer", "device"))
    return [
        ((name, label), Samples(_by_seed(info["seeds"], one["samples"]), one["better"] == "lower", one["exact"]))
        for label, one in info["metrics"].items()
    ]


def _by_seed(seeds: list[int], samples: list[float | None]) -> dict[int, float]:
    return {seed: sample for seed, sample in zip(seeds, samples, strict=True) if sample is not None}
