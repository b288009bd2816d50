"""Comparing two runs, cell by cell: each metric's ratio with its interval, and whether it got worse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from harness.errors import HarnessError
from harness.records import CellSpec
from harness.registry import Registry
from harness.statistics import paired_ratio
from harness.store import Run

MIN_PAIRS = 6


@dataclass(frozen=True)
class Change:
    """One metric of one combination in two runs: the ratio new / old over the seeds that both have."""

    cells: str
    metric: str
    ratio: float
    low: float
    high: float
    pairs: int
    verdict: Literal["better", "worse", "same", "unclear"]
    percent_worse: float


def compare(old: Run, new: Run, registry: Registry) -> list[Change]:
    """Pair the cells that have one id in both runs."""
    before, after = old.results(), new.results()
    groups: dict[tuple[str, str], list[tuple[float, float]]] = {}
    specs: dict[tuple[str, str], CellSpec] = {}
    for name in before.keys() & after.keys():
        for label, value in before[name].metrics.items():
            other = after[name].metrics.get(label)
            # What can be negative has no ratio.
            if value is not None and other is not None and min(value, other) >= 0:
                key = (name.rpartition("/")[0], label)
                groups.setdefault(key, []).append((value, other))
                specs[key] = before[name].cell
    if not groups:
        raise HarnessError(f"{old.folder} and {new.folder} have no measured cell in common")
    return [_change(key, groups[key], _class(registry, specs[key], key[1])) for key in sorted(groups)]


def _class(registry: Registry, cell: CellSpec, label: str) -> tuple[bool, bool]:
    """Whether lower is better, and whether one pair is enough."""
    (metric,) = (m for m in cell.metrics if m.label == label)
    cls = registry.offer("metric", metric.name).thing
    return cls.better == "lower", cls.exact


def _change(key: tuple[str, str], pairs: list[tuple[float, float]], traits: tuple[bool, bool]) -> Change:
    lower_is_better, exact = traits
    ratio = paired_ratio([new for _, new in pairs], [old for old, _ in pairs])
    worse, better = (ratio.low > 1, ratio.high < 1) if lower_is_better else (ratio.high < 1, ratio.low > 1)
    enough = exact or len(pairs) >= MIN_PAIRS
    verdict: Literal["better", "worse", "same", "unclear"] = "same"
    if worse or better:
        verdict = ("worse" if worse else "better") if enough else "unclear"
    cost = ratio.value if lower_is_better else 1 / ratio.value if ratio.value else math.inf
    return Change(key[0], key[1], ratio.value, ratio.low, ratio.high, len(pairs), verdict, (cost - 1) * 100)
