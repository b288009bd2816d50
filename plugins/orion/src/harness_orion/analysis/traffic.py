"""What a plan sends, when, and how much of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness_orion.analysis.plan import Placement, Plan, Where


@dataclass(frozen=True)
class Move:
    """Elements of an array that one worker sends or receives at a time: at most that many, if ``most``."""

    array: str
    when: str
    what: str
    elements: int
    itemsize: int
    most: bool = False

    @property
    def bytes(self) -> int:
        """The payload."""
        return self.elements * self.itemsize

    def __str__(self) -> str:
        count = f"{'at most ' * self.most}{self.elements} elements, {self.bytes} bytes"
        return f"{self.array}: {self.what} {self.when}: {count}"


def moves(plan: Plan, workers: int) -> tuple[Move, ...]:
    """All that is sent, with a number of workers."""
    if plan.strategy == "serial" or workers == 1:
        return ()
    return tuple(move for place in plan.placements for move in _moves(place, plan, workers))


def _moves(place: Placement, plan: Plan, workers: int) -> Iterator[Move]:
    if place.where is Where.TIME:
        block = -(-place.elements // workers)
        yield Move(place.array, "each rotation", "each worker passes a block on", block, place.itemsize)
    elif place.where is Where.REPLICATED:
        yield Move(place.array, "before the loop", "each worker gets a copy", place.elements, place.itemsize)
    elif place.where is Where.SERVER:
        unit = {"2d": "each rotation", "unimodular": "each time step"}.get(plan.strategy, "each partition")
        sent = "each worker fetches what it reads, and sends what it wrote,"
        yield Move(place.array, unit, sent, place.elements, place.itemsize, most=True)
