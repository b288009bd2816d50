"""The paper's dynamic program over stages, replicas and levels (SOSP 2019, section 3.1).

Level k joins m_k components of level k-1 by links of bandwidth B_k. With A^0(i, j) the seconds of the layers
between cuts i and j, C^k = A^{k-1}(i, j, m_{k-1}), and cost the model of one stage (``costs.py``):

    T^k(i, j, m) = cost(C^k(i, j), W(i, j), m, B_k)
    A^k(i, j, m) = min( T^k(i, j, m),
                        min over i < s < j, 1 <= m' < m of
                        max(A^k(i, s, m - m'), transfer(a_s, B_k), T^k(s, j, m')) )

The answer is A^L(0, N, m_L); going back through the tables gives the stages. Cuts are the states of
``states.py``, so chains and branching graphs take the same code; arrays hold all pairs of cuts at once. The
minibatches a stage holds depend on its replicas and on the workers before it, so under a memory limit
tables differ by where a component lies, and are made as they are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from harness_pipedream.planning.costs import ROUNDING, Cost
from harness_pipedream.planning.levels import Level, total
from harness_pipedream.planning.memory import MemoryLimit
from harness_pipedream.planning.plan import Group, Plan, Stage
from harness_pipedream.planning.states import States

if TYPE_CHECKING:
    from harness_pipedream.planning.states import Mask, Vector


@dataclass(frozen=True)
class Place:
    """Where a component lies in the whole plan: how many work alike, and how many workers serve earlier stages."""

    copies: int = 1
    before: int = 0


@dataclass(frozen=True)
class Part:
    """A stretch of a level's plan: layers between two cuts, on ``replicas`` components at a place."""

    first: int
    last: int
    replicas: int
    place: Place


class DynamicProgram:
    """Tables of best seconds per minibatch for one model on one set of levels."""

    def __init__(
        self,
        states: States,
        levels: Sequence[Level],
        cost: Cost,
        *,
        memory: MemoryLimit | None = None,
        replication: bool = True,
        within: float = math.inf,
    ) -> None:
        self.states = states
        self.levels = tuple(levels)
        self.cost = cost
        self.memory = memory
        self.replication = replication
        self.within = within
        self.workers = total(levels)
        self._nested = states.nested
        self._seconds = states.between(states.seconds)
        self._parameters = states.between(states.parameter_bytes)
        self._stage = lru_cache(maxsize=None)(self._stage_times)
        self._component = lru_cache(maxsize=None)(self._component_times)
        self._table = lru_cache(maxsize=None)(self._table_times)

    def solve(self) -> Plan | None:
        """The best plan that uses every worker; ``None`` where none fits, or takes at most ``within`` seconds."""
        import numpy as np

        top = len(self.levels)
        seconds = float(self._table(top, Place())[-1][0, -1])
        if not np.isfinite(seconds) or seconds > self.within * (1 + ROUNDING):
            return None
        stages, groups = self._unfold(top, Part(0, len(self.states) - 1, 1, Place()))
        return Plan(tuple(stages), tuple(tuple(groups[level]) for level in range(2, top + 1)), seconds)

    def _stage_times(self, level: int, replicas: int, place: Place, *, leads: bool = False) -> Vector:
        """T^k for all pairs of cuts: ``replicas`` components of the level below, each one pipeline.

        ``leads`` says that the stage is the first one of its component.
        """
        import numpy as np

        inner = self._component(level - 1, self._located(Place(place.copies * replicas, place.before)))
        averaged = self._parameters / self.cost.divisor(leads, self.levels[: level - 1])
        return np.asarray(self.cost.stage(inner, averaged, replicas, self.levels[level - 1].bytes_per_second))

    def _component_times(self, level: int, place: Place) -> Vector:
        """A^k with all components of the level used; on level 0 the layers' own seconds, where they fit."""
        import numpy as np

        if level:
            return self._table(level, place)[-1]
        allowed = self._nested
        if self.memory:
            allowed = allowed & self.memory.fits(
                self.states, workers=self.workers, before=place.before, replicas=place.copies
            )
        return np.where(allowed, self._seconds, np.inf)

    def _table_times(self, level: int, place: Place) -> list[Vector]:
        """A^k for 1, 2, ... components; the top level needs no stretch but those from the input on."""
        rows = 1 if level == len(self.levels) else len(self.states)
        most = self.within * total(self.levels[level:]) * (1 + ROUNDING)
        table: list[Vector] = []
        for m in range(1, self.levels[level - 1].workers + 1):
            best = self._unsplit(level, m, place)[:rows].copy()
            wanted = self._nested & (self._seconds <= most * m * total(self.levels[: level - 1]))
            for replicas in self._replicas(m - 1):
                _lower(best, table[m - replicas - 1], self._behind(level, m, replicas, place), wanted, most)
            table.append(best)
        return table

    def _unsplit(self, level: int, m: int, place: Place) -> Vector:
        """One stage of all m components."""
        import numpy as np

        if m > 1 and not self.replication:
            return np.full_like(self._parameters, np.inf)
        return self._stage(level, m, self._located(place), leads=True)

    def _behind(self, level: int, m: int, replicas: int, place: Place) -> Vector:
        """The last stage, and the boundary before it, when m components are split."""
        import numpy as np

        link = self.levels[level - 1].bytes_per_second
        live = self.states.live_bytes
        stage = self._stage(level, replicas, self._located(self._last(level, m, replicas, place)))
        received = self.cost.transfer(live, replicas, link)
        sent = self.cost.output(live, replicas, link)
        times: Vector = np.maximum(np.maximum(stage, np.asarray(received)[:, None]), np.asarray(sent)[None, :])
        return times

    def _replicas(self, most: int) -> range:
        return range(1, (most if self.replication else min(most, 1)) + 1)

    def _last(self, level: int, m: int, replicas: int, place: Place) -> Place:
        """Where the last stage lies, when it takes ``replicas`` of a component's m."""
        ahead = (m - replicas) * total(self.levels[: level - 1]) * place.copies
        return Place(place.copies, place.before + ahead)

    def _located(self, place: Place) -> Place:
        """The place, as far as it matters: without a memory limit, all places are alike."""
        return place if self.memory else Place()

    def _unfold(self, level: int, part: Part) -> tuple[list[Stage], dict[int, list[Group]]]:
        """Go back through the tables: the stages within one component, and the groups that they form."""
        stages: list[Stage] = []
        groups: dict[int, list[Group]] = {above: [] for above in range(2, level + 1)}
        for piece in reversed(list(self._pieces(level, part))):
            place = Place(piece.place.copies * piece.replicas, piece.place.before)
            if level == 1:
                stages.append(Stage(self.states.layers(piece.first, piece.last), place.copies))
                continue
            inner, within = self._unfold(level - 1, Part(piece.first, piece.last, 1, place))
            stages += inner
            for above, found in within.items():
                groups[above] += found
            groups[level].append(Group(len(inner), piece.replicas))
        return stages, groups

    def _pieces(self, level: int, part: Part) -> Iterator[Part]:
        """The stages of one level, last one first."""
        table = self._table(level, self._located(part.place))
        m, last = self.levels[level - 1].workers, part.last
        while True:
            best = table[m - 1][part.first, last]
            if self._unsplit(level, m, part.place)[part.first, last] <= best:
                yield Part(part.first, last, m, part.place)
                return
            replicas, cut = self._split(level, m, part, last)
            yield Part(cut, last, replicas, self._last(level, m, replicas, part.place))
            m, last = m - replicas, cut

    def _split(self, level: int, m: int, part: Part, last: int) -> tuple[int, int]:
        """Replicas and first cut of the last stage, such that the table's entry results."""
        import numpy as np

        table = self._table(level, self._located(part.place))
        best = table[m - 1][part.first, last]
        for replicas in self._replicas(m - 1):
            behind = self._behind(level, m, replicas, part.place)[:, last]
            found = np.flatnonzero(np.maximum(table[m - replicas - 1][part.first], behind) <= best)
            if len(found):
                return replicas, int(found[0])
        raise AssertionError("an entry of the table comes from one of its candidates")


def _lower(best: Vector, ahead: Vector, behind: Vector, wanted: Mask, most: float) -> None:
    """Put in ``best`` what a split somewhere gives, where that is less: a product of matrices in (min, max).

    What takes more than ``most`` seconds is no part of a plan that is wanted, nor is a stretch not ``wanted``.
    """
    import numpy as np

    for i in range(len(best)):
        cuts = np.flatnonzero(ahead[i] <= most)
        if len(cuts):
            ends = np.flatnonzero(wanted[i])
            through = np.maximum(ahead[i, cuts][:, None], behind[np.ix_(cuts, ends)]).min(0)
            best[i, ends] = np.minimum(best[i, ends], through)
