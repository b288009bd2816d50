"""Choosing a cheap network, T and K: those that meet a target for sure, and of these the cheapest (section 4.4).

1. A setting is scored on the validation part's seconds, inside the whole stream's clusters.
2. What is held against the target is a lower bound: the tracks are weighted at random many times over (Rubin: The
   Bayesian Bootstrap, 1981), with one more that may be wrong, half as heavy in the mean: what never failed in n tracks
   may still fail in the next one, as Jeffreys' prior has it.
3. A T counts only where every smaller one of the same network and K does: tests in a fixed order need no correction for
   how many there are, and a single lucky setting is not taken.
4. The front are the settings that no other beats in both ingest and query cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness_focus.footage.footage import VALIDATION, tied

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_focus.footage.footage import Footage
    from harness_focus.footage.scoring import Outcomes

Policy = Literal["opt-ingest", "balance", "opt-query"]

TARGET = 0.95
CONFIDENCE = 0.8  # the target is meant for four streams of five
DRAWS = 1_000
NEAR = 0.005  # how far below the best bound a setting may be where none reaches the target


@dataclass(frozen=True)
class Setting:
    """A point of the grid: which network, by its number, the clustering's T, and K."""

    network: int
    threshold: float
    k: int


@dataclass(frozen=True)
class Scored:
    """A setting with its costs, in calls of the expensive network, and its precision and recall with lower bounds.

    ``ingest`` is of the whole stream, ``query`` the mean of the classes that are asked for.
    """

    setting: Setting
    ingest: float
    query: float
    precision: float
    recall: float
    sure_precision: float
    sure_recall: float

    @property
    def sure(self) -> float:
        """The lower of both bounds."""
        return min(self.sure_precision, self.sure_recall)


@dataclass(frozen=True)
class Front:
    """What can be chosen from, cheapest ingest first; ``met`` is whether these settings reach the target for sure."""

    points: tuple[Scored, ...]
    met: bool

    def chosen(self, policy: Policy) -> Scored:
        """The point that a policy takes; the surer one where costs are the same."""
        costs = {
            "opt-ingest": lambda s: (s.ingest, s.query, -s.sure),
            "balance": lambda s: (s.ingest + s.query, s.ingest, -s.sure),
            "opt-query": lambda s: (s.query, s.ingest, -s.sure),
        }
        return min(self.points, key=costs[policy])


class Bounds:
    """Lower confidence bounds of precision and recall, the means over classes, on the validation part of a stream."""

    def __init__(self, footage: Footage, *, seed: int, draws: int = DRAWS) -> None:
        rng = np.random.default_rng([seed, 4])
        seconds = int(footage.frame_seconds[-1]) + 1
        self.scored = (footage.parts[:seconds] == VALIDATION).astype(np.float64)
        unit = units(footage)
        busy = np.unique(unit[unique_seconds(footage, self.scored)])
        weights = rng.exponential(size=(draws, int(unit.max()) + 1))
        self._weights = weights[:, unit] * self.scored
        whole = weights[:, busy].sum(1)
        self._sound = whole / (whole + rng.gamma(0.5, size=draws))

    def __call__(self, outcomes: Outcomes) -> tuple[float, float, float, float]:
        """Precision and recall, and the lower bound of each."""
        precision, recall = outcomes.scores(self.scored).macro
        drawn = outcomes.scores(self._weights).macro
        low = [float(np.quantile(share * self._sound, 1 - CONFIDENCE)) for share in drawn]
        return float(precision), float(recall), low[0], low[1]


def unique_seconds(footage: Footage, scored: NDArray[np.float64]) -> NDArray[np.int64]:
    """The seconds that are scored and show an object."""
    shown = np.unique(footage.seconds.astype(np.int64))
    return shown[scored[shown] > 0]


def units(footage: Footage) -> NDArray[np.int64]:
    """A number for each second: those that a track, or a part's change, does not separate belong together."""
    seconds = int(footage.frame_seconds[-1]) + 1
    together = np.zeros(seconds, dtype=bool)  # with the second before
    found = tied(footage.seconds, footage.tracks)
    together[: len(found)] = found
    together[1:] &= footage.parts[1:seconds] == footage.parts[: seconds - 1]
    return np.cumsum(~together) - 1


def front(scored: Sequence[Scored], *, target: float = TARGET) -> Front:
    """The settings that meet the target, less those that another beats; the surest ones where none does."""
    meeting = list(_meeting(scored, target))
    best = max(s.sure for s in scored)
    pool = meeting or [s for s in scored if s.sure >= best - NEAR]
    points = {(s.ingest, s.query): s for s in pool if not any(_beats(other, s) for other in pool)}
    return Front(tuple(points[costs] for costs in sorted(points)), bool(meeting))


def _meeting(scored: Sequence[Scored], target: float) -> Iterator[Scored]:
    """Go up from the smallest T of each network and K, as long as the target is met."""

    def line(s: Scored) -> tuple[int, int]:
        return s.setting.network, s.setting.k

    for _, group in groupby(sorted(scored, key=lambda s: (*line(s), s.setting.threshold)), line):
        for one in group:
            if one.sure < target:
                break
            yield one


def _beats(a: Scored, b: Scored) -> bool:
    """Whether a costs less in one respect and not more in the other; of equals, the surer."""
    if (a.ingest, a.query) == (b.ingest, b.query):
        return a.sure > b.sure
    return a.ingest <= b.ingest and a.query <= b.query
