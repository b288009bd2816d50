"""What happens in a composed stream: which thing crosses when, where, how large, and how it turns.

The stream has day-parts, each with its own mix of kinds. On every lane things follow one another in one direction at
random intervals; now and then a quick one overtakes a slow one, and covers it. They come, linger, and go.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness_focus.streams.cutouts import KINDS, Cutout

DAY_PARTS = 5
CONCENTRATION = 0.5  # of a day-part's mix: a few kinds make up most of what passes
SHARE = 0.15  # of every day-part, spread evenly over all the kinds
LANES = (0.28, 0.73)  # shares of the picture's height; the upper one leads to the left
LINGERING = 0.6  # speed in the middle of the way, relative to the mean


@dataclass(frozen=True)
class Crossing:
    """One thing's way through the picture; lengths are shares of the picture's height, times are seconds."""

    cutout: int
    start: float
    duration: float
    leftward: bool
    lane: float
    size: float
    sway: float
    turn: float  # turns of the vertical axis in all: 0 shows one side throughout
    lean: float  # degrees that it leans to and fro
    light: float

    def done(self, seconds: float) -> float:
        """The share of the way that is behind it: 0 as it enters, 1 as it has left."""
        return (seconds - self.start) / self.duration

    def along(self, done: float) -> float:
        """The share of the way's length that is behind it: things linger in the middle."""
        aside = 2 * done - 1
        return 0.5 + 0.5 * (LINGERING * aside + (1 - LINGERING) * aside**3)

    def pose(self, done: float) -> tuple[float, float, float]:
        """Height of its centre, degrees of lean, and width relative to a full view; below 0 shows the other side."""
        wave = math.sin(2 * math.pi * (2 * done + self.sway))
        facing = math.cos(2 * math.pi * self.turn * done)
        wide = math.copysign(max(abs(facing), 0.45), facing)
        return self.lane + 0.03 * wave, self.lean * wave, wide


def script(cutouts: Sequence[Cutout], *, seconds: float, pause: float, rng: np.random.Generator) -> list[Crossing]:
    """All crossings of a stream, in order of their start; ``pause`` is the mean time between two on one lane."""
    mixes = [_mix(rng) for _ in range(DAY_PARTS)]
    of_kind = {kind: [n for n, cutout in enumerate(cutouts) if cutout.kind == kind] for kind in KINDS}
    crossings = []
    for lane in LANES:
        for start in _starts(seconds, pause, rng):
            kind = rng.choice(KINDS, p=mixes[int(start / seconds * DAY_PARTS)])
            crossings.append(_crossing(int(rng.choice(of_kind[str(kind)])), start, lane, rng))
    return sorted(crossings, key=lambda crossing: crossing.start)


def _mix(rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    drawn = rng.dirichlet(np.full(len(KINDS), CONCENTRATION))
    return np.asarray((1 - SHARE) * drawn + SHARE / len(KINDS))


def _starts(seconds: float, pause: float, rng: np.random.Generator) -> Iterator[float]:
    start = rng.exponential(pause)
    while start < seconds:
        yield float(start)
        start += 0.4 * pause + rng.exponential(0.6 * pause)


def _crossing(cutout: int, start: float, lane: float, rng: np.random.Generator) -> Crossing:
    return Crossing(
        cutout=cutout,
        start=start,
        duration=float(rng.uniform(8, 14)),
        leftward=lane == LANES[0],
        lane=lane + float(rng.uniform(-0.03, 0.03)),
        size=float(rng.uniform(0.24, 0.36)),
        sway=float(rng.random()),
        turn=float(rng.choice([0, 0, 0.5])),
        lean=float(rng.uniform(0, 12)),
        light=float(rng.uniform(0.8, 1.15)),
    )
