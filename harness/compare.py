"""Comparing two measurements, group by group: each metric's ratio with its interval, and whether it got worse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import HarnessError
from harness.registry import Registry
from harness.samples import Samples, read
from harness.statistics import paired_ratio

MIN_PAIRS = 6

Verdict = Literal["better", "worse", "same", "unclear"]


@dataclass(frozen=True)
class Change:
    """One metric of one combination, measured twice: the ratio new / old over the seeds that both have."""

    cells: str
    metric: str
    ratio: float
    low: float
    high: float
    pairs: int
    verdict: Verdict
    percent_worse: float


def compare(old: Path, new: Path, registry: Registry) -> list[Change]:
    """Pair what two runs, or two of pytest-benchmark's files, measured with one seed."""
    before, after = read(old, registry), read(new, registry)
    changes = [
        _change(key, before[key], after[key], pairs)
        for key in sorted(before.keys() & after.keys())
        if (pairs := before[key].pairs(after[key]))
    ]
    if not changes:
        raise HarnessError(f"{old} and {new} have no measured cell in common")
    return changes


def _change(key: tuple[str, str], old: Samples, new: Samples, pairs: list[tuple[float, float]]) -> Change:
    ratio = paired_ratio([after for _, after in pairs], [before for before, _ in pairs])
    up, down = ratio.low > 1, ratio.high < 1
    enough = (old.exact and new.exact) or len(pairs) >= MIN_PAIRS
    verdict: Verdict = "same"
    if up or down:
        verdict = ("worse" if up == new.lower_is_better else "better") if enough else "unclear"
    cost = ratio.value if new.lower_is_better else 1 / ratio.value if ratio.value else math.inf
    return Change(*key, ratio.value, ratio.low, ratio.high, len(pairs), verdict, (cost - 1) * 100)
