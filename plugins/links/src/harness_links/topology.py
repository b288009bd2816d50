"""Which workers are near each other, and how fast what lies between them is.

Workers stand in a tree. A level joins so many components of the level below: at the lowest these are
workers, at the next servers of workers, then racks of servers. Each component has one link up to its
level, full duplex, that everything from and to its workers shares. Two ranks meet at the lowest level
that joins them; a message between them crosses a link up and a link down at that level and at every
one below. This is the hierarchy of PipeDream's planner (SOSP 2019, section 3.1) with latencies.
"""

from __future__ import annotations

import tomllib
from functools import cached_property
from itertools import accumulate
from operator import mul
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, field_validator

from harness import Device, HarnessError
from harness.units import ByteRate, Delay

STRICT = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Level(BaseModel):
    """One level of a hierarchy of links.

    ``workers`` counts what it joins: workers at the lowest level, components of the level below at the
    others. ``bandwidth`` is in bytes a second, each way, of every link up to this level; ``latency`` in
    seconds, one way, for a message that goes no higher.
    """

    model_config = STRICT

    workers: PositiveInt
    bandwidth: ByteRate
    latency: Delay = 0.0

    @property
    def bytes_per_second(self) -> float:
        """The bandwidth, as planners call it."""
        return self.bandwidth


class Route(NamedTuple):
    """What lies between two ranks: the level where they meet, from 0, and what a lone message finds on its way."""

    level: int
    bytes_per_second: float
    latency: float

    def seconds(self, size: float) -> float:
        """The time from sending so many bytes to their arrival, where nothing else is on the links."""
        return self.latency + size / self.bytes_per_second


class Topology(BaseModel):
    """A hierarchy of links, the lowest level first; ranks fill it from the left."""

    model_config = STRICT

    levels: tuple[Level, ...] = Field(min_length=1)

    @classmethod
    def read(cls, path: Path) -> Topology:
        """Read a TOML file with a table ``[[levels]]`` for each level."""
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            raise HarnessError(f"cannot be read: {error}", where=str(path)) from None
        except tomllib.TOMLDecodeError as error:
            raise HarnessError(f"not valid TOML: {error}", where=str(path)) from None
        except ValidationError as error:
            raise HarnessError(_first(error), where=str(path)) from None

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Workers in one component, by level; a component of level 0 is one worker, the last is everyone."""
        return tuple(accumulate((level.workers for level in self.levels), mul, initial=1))

    @property
    def workers(self) -> int:
        """How many workers there is room for."""
        return self.sizes[-1]

    def component(self, rank: int, level: int) -> int:
        """The number of the component that a rank's link to a level belongs to: at level 0 the rank itself."""
        return rank // self.sizes[level]

    def route(self, source: int, to: int) -> Route:
        """What lies between two different ranks."""
        meet = next(k for k, size in enumerate(self.sizes[1:]) if source // size == to // size)
        slowest = min(level.bandwidth for level in self.levels[: meet + 1])
        return Route(meet, slowest, self.levels[meet].latency)

    def check(self, workers: int) -> None:
        """Refuse more workers than there is room for."""
        if workers > self.workers:
            room = " x ".join(str(level.workers) for level in self.levels)
            raise HarnessError(
                f"the topology has room for {room} workers, not for {workers}: add a level, or widen one"
            )


class LinkedDevice(Device):
    """A device whose links are chosen, by fields or in a file."""

    levels: tuple[Level, ...] = Field(
        (Level(workers=16, bandwidth=1.25e9, latency=50e-6),),
        min_length=1,
        description="tables with workers, bandwidth ('10 Gbit/s', each way) and latency ('50 us'), the lowest first",
    )
    topology: str = Field("", description="a TOML file of [[levels]], in place of levels")

    @field_validator("topology")
    @classmethod
    def _reads(cls, topology: str) -> str:
        if topology:
            Topology.read(Path(topology))
        return topology

    def links(self) -> Topology:
        """The hierarchy that the fields or the file describe."""
        return Topology.read(Path(self.topology)) if self.topology else Topology(levels=self.levels)


def _first(error: ValidationError) -> str:
    """The first thing wrong, in one line."""
    first = error.errors()[0]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
    if first["type"] in ("missing", "extra_forbidden"):
        known = "; a level has workers, bandwidth and latency"
        return f"{place} is {'missing' if first['type'] == 'missing' else 'no key here'}{known}"
    return f"{place}: {first['msg'].removeprefix('Value error, ')}, not {first['input']!r}"
