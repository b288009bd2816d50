"""Levels of machines: workers joined by links, lowest level first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, prod

from harness import HarnessError, units


@dataclass(frozen=True)
class Level:
    """``workers`` components of the level below (on the lowest level: workers), and the links between them."""

    workers: int
    bytes_per_second: float

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise HarnessError(f"a level needs at least one worker, not {self.workers}")
        if not (isfinite(self.bytes_per_second) and self.bytes_per_second > 0):
            raise HarnessError(f"a link's rate must be positive, not {self.bytes_per_second:g} bytes a second")


def total(levels: Sequence[Level]) -> int:
    """Workers on all levels together."""
    return prod(level.workers for level in levels)


def flat(levels: Sequence[Level]) -> tuple[Level, ...]:
    """The same workers on one level, at the rate of the slowest link."""
    return (Level(total(levels), min(level.bytes_per_second for level in levels)),)


def parse_levels(text: str) -> tuple[Level, ...]:
    """Read levels, lowest first, as a command line gives them: '4 x 12 GB/s, 2 x 10 Gbit/s'."""
    return tuple(_parse_level(part.strip()) for part in text.split(","))


def _parse_level(text: str) -> Level:
    form = "write WORKERS x RATE, such as '4 x 10 Gbit/s'"
    workers, times, rate = text.partition("x")
    if not times or not workers.strip().isdigit():
        raise HarnessError(f"no level: {text!r}; {form}")
    try:
        return Level(int(workers), float(str(units.parse(rate, units.BYTES_PER_SECOND))))
    except HarnessError:
        raise
    except ValueError as error:
        raise HarnessError(f"no level: {text!r}; {error}") from error
