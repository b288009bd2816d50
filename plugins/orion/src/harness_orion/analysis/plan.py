"""A plan: how a loop's iterations are divided, and where its arrays are. Plain values, which a runtime carries out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from harness_orion.analysis.dependences import Dependence, Mode
from harness_orion.reading.accesses import Body
from harness_orion.reading.affine import Key

Strategy = Literal["independent", "1d", "2d", "unimodular", "serial"]


class Where(Enum):
    """Where an array is during the loop."""

    SPACE = "space"
    TIME = "time (rotated)"
    SERVER = "server"
    REPLICATED = "replicated"
    LOCAL = "local"


@dataclass(frozen=True)
class Placement:
    """An array's place; ``axis`` is divided along the loop's space or time dimension. ``buffers`` change it late."""

    array: str
    where: Where
    elements: int
    itemsize: int
    axis: int | None = None
    buffers: tuple[str, ...] = ()


@dataclass(frozen=True)
class RuledOut:
    """A strategy that does not apply, and the dependence in its way (or what else is)."""

    strategy: Strategy
    dims: tuple[int, ...]
    dependence: Dependence | None
    reason: str


@dataclass(frozen=True)
class Collision:
    """Two concrete iterations that touch one element, or may, where a subscript is not known."""

    dependence: Dependence
    first: Key
    second: Key
    element: str
    certain: bool


@dataclass(frozen=True)
class Plan:
    """What analysis found, and what it decided.

    ``shape`` and ``origin`` are the iteration space's. Entries with equal keys run one after the other, as stored.

    - independent, 1d: blocks of ``space_dim`` run at once.
    - 2d: blocks that differ in both ``space_dim`` and ``time_dim`` run at once; ordered: along a wavefront.
    - unimodular: iterations with equal ``transform[0] . key`` run at once, and a barrier is between two of its values.
    """

    body: Body
    shape: Key
    origin: Key
    ordered: bool
    mode: Mode
    strategy: Strategy
    space_dim: int | None = None
    time_dim: int | None = None
    transform: tuple[Key, ...] = ()
    dependences: tuple[Dependence, ...] = ()
    placements: tuple[Placement, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    collision: Collision | None = None

    def placement(self, array: str) -> Placement:
        """The place of one array."""
        return next(p for p in self.placements if p.array == array)

    def concurrent(self, x: Key, y: Key) -> bool:
        """Whether two iterations may run at the same time, however finely the space is divided."""
        if x == y or self.strategy == "serial":
            return False
        if self.strategy == "unimodular":
            return self.time(x) == self.time(y)
        return all(x[d] != y[d] for d in (self.space_dim, self.time_dim) if d is not None)

    def time(self, key: Key) -> int:
        """When an iteration of a unimodular plan runs."""
        return sum(c * k for c, k in zip(self.transform[0], key, strict=True))
