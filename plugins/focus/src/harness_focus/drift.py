"""Whether a stream still shows what its network was specialised for.

The shares of the classes in a window are compared with those of the training part: half the sum of the differences,
the total variation. What chance alone does to a window of as many tracks is simulated, so that short ones do not alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS = 1_000
CHANCE = 0.01  # how often a stream that did not change is said to have


@dataclass(frozen=True)
class Drift:
    """``distance`` of a window's classes from training's, 0 to 1; ``limit`` is what chance alone rarely exceeds."""

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


def drift(mix: NDArray[np.float64], labels: NDArray[np.int64], tracks: NDArray[np.int64], *, seed: int) -> Drift:
    """Compare a window's labels with training's shares; objects of one track count as one, by what most of it shows."""
    kinds = _of_tracks(labels, tracks, len(mix))
    rng = np.random.default_rng([seed, 5])
    smooth = (mix + 0.5 / (len(kinds) + 1) / len(mix)) / (1 + 0.5 / (len(kinds) + 1))
    chance = rng.multinomial(len(kinds), smooth, size=DRAWS) / len(kinds)
    limit = np.quantile(_distances(chance, mix), 1 - CHANCE)
    observed = np.bincount(kinds, minlength=len(mix)) / len(kinds)
    return Drift(float(_distances(observed, mix)), float(limit))


def _distances(shares: NDArray[np.float64], mix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.abs(shares - mix).sum(-1) / 2)


def _of_tracks(labels: NDArray[np.int64], tracks: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """The commonest label of each track."""
    numbers, of = np.unique(tracks, return_inverse=True)
    counts = np.zeros((len(numbers), classes), dtype=np.int64)
    np.add.at(counts, (of, labels), 1)
    kinds: NDArray[np.int64] = counts.argmax(1)
    return kinds
