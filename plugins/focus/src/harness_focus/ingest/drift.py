"""Whether a stream still shows what its network was specialised for.

The shares of the classes among a window's tracks are compared with those among the tracks of the stream that the
network was tuned on: half the sum of the differences, the total variation. What chance alone does to two samples of as
many tracks from one stream is simulated, so that short windows do not alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]

DRAWS = 1_000
CHANCE = 0.01  # how often a stream that did not change is said to have


@dataclass(frozen=True)
class Drift:
    """``distance`` of a window's classes from those before, 0 to 1; ``limit`` is what chance alone rarely exceeds."""

    distance: float
    limit: float

    @property
    def drifted(self) -> bool:
        """Whether a network should be specialised anew."""
        return self.distance > self.limit

    def __str__(self) -> str:
        """What a user is told."""
        said = f"the classes differ by {self.distance:.0%} from those the network was specialised for"
        return f"{said}, more than the {self.limit:.0%} that chance explains: specialise anew" if self.drifted else said


def drift(before: Counts, now: Counts, *, seed: int) -> Drift:
    """Compare how many tracks of each class there are in a window with how many there were before."""
    if not before.sum() or not now.sum():
        return Drift(0.0, 1.0)
    rng = np.random.default_rng([seed, 5])
    pooled = (before + now) / (before + now).sum()
    drawn = [rng.multinomial(counts.sum(), pooled, size=DRAWS) / counts.sum() for counts in (before, now)]
    limit = np.quantile(_distances(*drawn), 1 - CHANCE)
    return Drift(float(_distances(before / before.sum(), now / now.sum())), float(limit))


def kinds(labels: NDArray[np.int64], tracks: NDArray[np.int64], classes: int) -> Counts:
    """How many tracks are of each class: of the one that most objects of a track are of."""
    numbers, of = np.unique(tracks, return_inverse=True)
    counts = np.zeros((len(numbers), classes), dtype=np.int64)
    np.add.at(counts, (of, labels), 1)
    return np.bincount(counts.argmax(1), minlength=classes)


def _distances(shares: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.abs(shares - others).sum(-1) / 2)
