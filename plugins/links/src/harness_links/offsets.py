"""How far the clocks of two machines are apart (Cristian, Distributed Computing 1989)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.devices import Lane

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.devices import Wire

ROUND_TRIPS = 20
LANE = Lane(0, -9)


class Offset(NamedTuple):
    """What to add to this clock's seconds to get the first rank's, and the most that it may be off."""

    seconds: float
    error_seconds: float


def clock_offset(wire: Wire, clock: Callable[[], float]) -> Offset:
    """The offset of this rank's clock to that of rank 0, from the quickest of 20 round trips; all ranks call it."""
    if wire.rank == 0:
        for source in range(1, wire.size):
            for _ in range(ROUND_TRIPS):
                wire.irecv(source, LANE).wait()
                wire.isend(_seconds(clock()), source, LANE).wait()
        return Offset(0.0, 0.0)
    return min((_round_trip(wire, clock) for _ in range(ROUND_TRIPS)), key=lambda offset: offset.error_seconds)


def _round_trip(wire: Wire, clock: Callable[[], float]) -> Offset:
    """Ask the time: the answer is from some moment between asking and hearing, so at most half of that off."""
    asked = clock()
    wire.isend(_seconds(asked), 0, LANE)
    theirs = float(wire.irecv(0, LANE).wait()[0])
    heard = clock()
    return Offset(theirs - (asked + heard) / 2, (heard - asked) / 2)


def _seconds(value: float) -> NDArray[Any]:
    import numpy as np

    return np.array([value])
