"""How right answers are: precision and recall over one-second segments, by class (OSDI 2018, section 6.1).

A class is present in a second if at least half of its frames have it; the same holds for the frames returned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness_focus.video.segments import SHARE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_focus.footage.footage import Footage

    Counts = NDArray[np.float64]

DOMINANT = 0.95  # share of the objects that the classes asked for make up (OSDI 2018, section 6.1)


@dataclass(frozen=True, eq=False)
class Scores:
    """Seconds that are right, wrong and missed; each (..., classes), perhaps weighted, one row a weighting."""

    right: Counts
    wrong: Counts
    missed: Counts

    @property
    def precision(self) -> Counts:
        """Of each class, (..., classes); NaN where nothing was returned."""
        return _share(self.right, self.wrong)

    @property
    def recall(self) -> Counts:
        """Of each class, (..., classes); NaN where it never is."""
        return _share(self.right, self.missed)

    @property
    def macro(self) -> tuple[Counts, Counts]:
        """Precision and recall, the mean over the classes that have one; 1 where none has."""
        return _mean(self.precision), _mean(self.recall)


@dataclass(frozen=True, eq=False)
class Outcomes:
    """For each class and second, (classes, seconds), whether it was returned and whether it is there."""

    found: NDArray[np.bool_]
    true: NDArray[np.bool_]

    def scores(self, weights: NDArray[np.float64]) -> Scores:
        """Count seconds, each as often as its weight says; weights are (..., seconds), 0 for what is not scored."""
        cases = (self.found & self.true, self.found & ~self.true, self.true & ~self.found)
        return Scores(*(weights @ case.T.astype(np.float64) for case in cases))


def outcomes(footage: Footage, answers: Mapping[int, NDArray[np.int64]]) -> Outcomes:
    """Compare the frames returned for each class, by its number, with those of the expensive network's labels."""
    whole = footage.frame_seconds.astype(np.int64)
    true = [present(np.unique(footage.frames[footage.labels == label]), whole) for label in answers]
    return Outcomes(np.array([present(np.unique(frames), whole) for frames in answers.values()]), np.array(true))


def dominant(labels: NDArray[np.int64], share: float = DOMINANT) -> list[int]:
    """The fewest classes that make up a share of the objects, the most frequent first."""
    counts = np.bincount(labels)
    order = np.argsort(-counts, kind="stable")
    needed = int(np.searchsorted(np.cumsum(counts[order]), share * len(labels))) + 1
    return [int(label) for label in order[:needed] if counts[label]]


def present(frames: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each second, whether at least half of its frames are among these; ``whole`` is the second of every frame."""
    having, frames_in = np.bincount(whole[frames], minlength=whole[-1] + 1), np.bincount(whole)
    return (having >= SHARE * frames_in) & (having > 0)


def _share(right: Counts, other: Counts) -> Counts:
    with np.errstate(invalid="ignore"):
        return np.asarray(right / (right + other))


def _mean(shares: Counts) -> Counts:
    known = ~np.isnan(shares)
    total = np.where(known, shares, 0).sum(-1)
    return np.asarray(np.where(known.any(-1), total / np.maximum(known.sum(-1), 1), 1.0))
