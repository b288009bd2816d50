"""How SkewScout chooses its next setting: searches over an ordered grid, from tightest to loosest (section 6).

After each travel period the objective of the setting in use is known, and whether it cost more accuracy
than is tolerated. Then only tighter settings come into question, else only looser ones. A neighbour that has not been
tried lately is tried; between two that have, the lower objective is taken: always (hill climbing), almost
always (stochastic), or the more often the later and the bigger the difference (annealing).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Kind = Literal["hill-climbing", "stochastic", "annealing"]


@dataclass
class Search:
    """A search over settings numbered from 0 (tightest); what was found ``memory`` periods ago is forgotten."""

    kind: Kind
    settings: int
    current: int
    rng: np.random.Generator
    memory: int = 5
    slip: float = 0.1
    cooling: float = 0.8
    _found: dict[int, tuple[float, int]] = field(default_factory=dict)
    _period: int = 0

    def next(self, *, objective: float, too_costly: bool) -> int:
        """Take in what the current setting gave; the setting to use from now on."""
        self._period += 1
        self._found[self.current] = (objective, self._period)
        other = self.current + (-1 if too_costly else 1)
        if 0 <= other < self.settings:
            value, when = self._found.get(other, (math.nan, -math.inf))
            if self._period - when > self.memory or self._moves(value - objective):
                self.current = other
        return self.current

    def _moves(self, worse_by: float) -> bool:
        better = worse_by < 0
        if self.kind == "stochastic":
            return better != bool(self.rng.random() < self.slip)
        if self.kind == "annealing" and not better:
            return bool(self.rng.random() < math.exp(-worse_by / self.cooling**self._period))
        return better
