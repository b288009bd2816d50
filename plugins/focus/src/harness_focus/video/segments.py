"""One-second segments: a class is present in one if at least half of its frames have it (OSDI 2018, section 6.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

SHARE = 0.5


@dataclass(frozen=True)
class Stretch:
    """Seconds without a gap, the last one not included."""

    since: int
    until: int


def present(frames: Iterable[tuple[int, float]], frames_in: Mapping[int, int]) -> list[int]:
    """The seconds that have a class, of the frames (with their seconds) that do.

    ``frames_in`` says how many frames each second of the video has.
    """
    having = Counter(int(seconds) for _, seconds in set(frames))
    return sorted(second for second, count in having.items() if count >= SHARE * frames_in[second])


def stretches(seconds: Iterable[int]) -> list[Stretch]:
    """Seconds put together where they follow each other."""
    ordered = sorted(set(seconds))
    runs = ([second for _, second in run] for _, run in groupby(enumerate(ordered), lambda pair: pair[1] - pair[0]))
    return [Stretch(run[0], run[-1] + 1) for run in runs]
