"""Search for the least bottleneck of a long chain on many workers, where the dynamic program is too slow.

Whether every stage and boundary can keep within t seconds is one pass over the cuts, so t is found by
halving. For a stretch of layers the replicas that keep within t are 1, where one worker is fast enough,
and an interval low..high (``Cost.replicas``). The pass finds, for each cut, the fewest workers that bring
the layers so far within t: with single workers alone, and with some replicated stage.

All workers must be used. A path of fewest workers is widened to exactly as many: its intervals are filled,
and where they are full, a stage is cut once more at a boundary that keeps within t. Cutting a stage adds at
most one to its least replicas and at least one to its most, so no number in between is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from harness_pipedream.planning.costs import ROUNDING, Cost
from harness_pipedream.planning.levels import Level
from harness_pipedream.planning.plan import Plan, Stage
from harness_pipedream.planning.states import States

if TYPE_CHECKING:
    from harness_pipedream.planning.states import Mask, Vector

PRECISION = 1e-12


@dataclass(frozen=True)
class Piece:
    """The layers between two cuts as one stage: at least and at most so many replicas."""

    first: int
    last: int
    least: int
    most: float


class BottleneckSearch:
    """One chain (or the prefixes of a graph) on one level, without a memory limit."""

    def __init__(self, states: States, level: Level, cost: Cost, *, replication: bool = True) -> None:
        self.states = states
        self.level = level
        self.cost = cost
        self.replication = replication
        self.cuts = len(states)
        rate = level.bytes_per_second
        self._seconds = states.seconds
        self._sync = states.parameter_bytes / rate
        self._received = self._boundary(cost.transfer(states.live_bytes, 1, rate))
        self._sent = self._boundary(cost.output(states.live_bytes, 1, rate))

    def solve(self) -> Plan | None:
        """The best plan that uses every worker; ``None`` where there are more single workers than layers."""
        if not self.replication and self.level.workers > self.cuts - 1:
            return None
        best = self._first()
        low, high = float(self._seconds[-1]) / self.level.workers * (1 - PRECISION), self._value(best)
        while high - low > PRECISION * high:
            limit = (low + high) / 2
            found = self._within(limit) if limit > 0 else None
            if found is None:
                low = limit
            elif (value := self._value(found)) < high:
                best, high = found, value
            else:
                break
        stages = tuple(Stage(self.states.layers(first, last), replicas) for first, last, replicas in best)
        return Plan(stages, seconds=high)

    def _first(self) -> list[tuple[int, int, int]]:
        """Some plan to begin with: data parallel, or the first layers one by one."""
        if self.replication:
            return [(0, self.cuts - 1, self.level.workers)]
        return [(a, b, 1) for a, b in pairwise([*range(self.level.workers), self.cuts - 1])]

    def _value(self, stages: list[tuple[int, int, int]]) -> float:
        rate, totals = self.level.bytes_per_second, self.states.parameter_bytes
        times = []
        for first, last, replicas in stages:
            seconds = self._seconds[last] - self._seconds[first]
            times.append(self.cost.stage(seconds, totals[last] - totals[first], replicas, rate))
            share = replicas if self.cost.shares_boundaries else 1
            times.append(self._received[first] / share)
            times.append(self._sent[last] / share if first else 0.0)
        return float(max(times))

    def _within(self, limit: float) -> list[tuple[int, int, int]] | None:
        """A plan whose every stage and boundary keeps within ``limit`` seconds."""
        for cuts, replicated in self._paths(limit):
            pieces = [self._piece(a, b, limit, alone=b != replicated) for a, b in pairwise(cuts)]
            found = self._widened([piece for piece in pieces if piece], limit)
            if found is not None:
                return found
        return None

    def _paths(self, limit: float) -> Iterator[tuple[list[int], int]]:
        """Cuts of the plans of fewest workers: without replicated stages, and with one that ends at the cut named."""
        import numpy as np

        single, mixed = np.full(self.cuts, np.inf), np.full(self.cuts, np.inf)
        single[0] = 0
        before_single, before_mixed = np.zeros(self.cuts, dtype=int), np.zeros(self.cuts, dtype=int)
        was_mixed = np.zeros(self.cuts, dtype=bool)
        for last in range(1, self.cuts):
            alone, low, high = self._options(slice(0, last), last, limit)
            ones = np.where(alone, single[:last] + 1, np.inf)
            before_single[last] = first = int(ones.argmin())
            single[last] = ones[first]
            least = np.where(low <= high, low, np.inf)
            stays = mixed[:last] + np.where(alone, 1, least)
            joins = single[:last] + least
            counts = np.minimum(stays, joins)
            before_mixed[last] = first = int(counts.argmin())
            mixed[last], was_mixed[last] = counts[first], stays[first] <= joins[first]
        if single[-1] <= self.level.workers:
            yield _back(self.cuts - 1, before_single), 0
        if mixed[-1] <= self.level.workers:
            behind = [self.cuts - 1]
            while was_mixed[behind[0]]:
                behind.insert(0, int(before_mixed[behind[0]]))
            yield _back(int(before_mixed[behind[0]]), before_single) + behind, behind[0]

    def _options(self, first: slice, last: int, limit: float) -> tuple[Mask, Vector, Vector]:
        """For stages from ``first`` cuts to ``last``: whether one worker does, and from and to how many do."""
        import numpy as np

        seconds = self._seconds[last] - self._seconds[first]
        sync = self._sync[last] - self._sync[first]
        boundary = np.maximum(self._received[first], np.where(np.arange(self.cuts)[first] > 0, self._sent[last], 0))
        slack = limit * (1 + ROUNDING)
        alone = (seconds <= slack) & (boundary <= slack)
        if not self.replication:
            return alone, np.full_like(seconds, np.inf), np.zeros_like(seconds)
        low, high = map(np.asarray, self.cost.replicas(seconds, sync, limit))
        if self.cost.shares_boundaries:
            low = np.maximum(low, np.ceil(boundary / slack))
        else:
            high = np.where(boundary <= slack, high, 0)
        return alone, low, high

    def _piece(self, first: int, last: int, limit: float, *, alone: bool = True) -> Piece | None:
        """The interval that holds the least possible replicas, of two or more if not ``alone``."""
        (enough,), (low,), (high,) = self._options(slice(first, first + 1), last, limit)
        if enough and alone:
            return Piece(first, last, 1, high if low == 2 <= high else 1)
        return Piece(first, last, int(low), high) if low <= high else None

    def _widened(self, pieces: list[Piece], limit: float) -> list[tuple[int, int, int]] | None:
        """Use all workers: cut stages further until their intervals hold that many."""
        whole: list[Piece] = []
        most = sum(piece.most for piece in pieces)
        while most < self.level.workers and pieces:
            piece = pieces.pop()
            parts = self._cut(piece, limit)
            if parts is None:
                whole.append(piece)
                continue
            pieces += parts
            most += sum(part.most for part in parts) - piece.most
        pieces = sorted([*pieces, *whole], key=lambda piece: piece.first)
        spare = self.level.workers - sum(piece.least for piece in pieces)
        return _shared_out(pieces, spare) if most >= self.level.workers and spare >= 0 else None

    def _cut(self, piece: Piece, limit: float) -> list[Piece] | None:
        """Two stages in place of one, where a boundary inside keeps within the limit."""
        for middle in range(piece.last - 1, piece.first, -1):
            if max(self._received[middle], self._sent[middle]) <= limit:
                parts = [self._piece(piece.first, middle, limit), self._piece(middle, piece.last, limit)]
                return [part for part in parts if part] if all(parts) else None
        return None

    def _boundary(self, seconds: object) -> Vector:
        """Nothing crosses the ends."""
        import numpy as np

        found: Vector = np.array(seconds, dtype=float)
        found[[0, -1]] = 0
        return found


def _shared_out(pieces: list[Piece], spare: int) -> list[tuple[int, int, int]]:
    stages = []
    for piece in pieces:
        more = int(min(spare, piece.most - piece.least))
        stages.append((piece.first, piece.last, piece.least + more))
        spare -= more
    return stages


def _back(last: int, before: Vector) -> list[int]:
    """The cuts of a path, from 0 to the last one."""
    cuts = [last]
    while cuts[-1]:
        cuts.append(int(before[cuts[-1]]))
    return cuts[::-1]
