"""Where a model may be cut: its down-closed sets of layers, from none to all.

On a chain these are the prefixes. On a branching graph a cut may fall anywhere that leaves every layer's
inputs before it (an ideal of the graph's order), so that stages are differences of nested ideals. Graphs
that branch too widely have too many ideals; of those, the prefixes of one topological order are searched.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness_pipedream.profiling.profile import Profile

if TYPE_CHECKING:
    import numpy as np

    Vector = np.ndarray[Any, np.dtype[np.float64]]
    Mask = np.ndarray[Any, np.dtype[np.bool_]]

MOST_IDEALS = 1500


@dataclass(frozen=True, eq=False)
class States:
    """Down-closed sets by size, the empty one first; arrays have one entry a set.

    ``member`` (sets, layers) says what a set holds; ``complete`` whether these are all there are.
    """

    profile: Profile
    member: Mask
    complete: bool

    @classmethod
    def of(cls, profile: Profile, *, most: int = MOST_IDEALS) -> States:
        """Every ideal, or the prefixes where there are more than ``most``."""
        import numpy as np

        ideals = None if profile.is_chain else _ideals(profile, most)
        if ideals is None:
            return cls.prefixes(profile)
        layers = range(len(profile.layers))
        return cls(profile, np.array([[bits >> i & 1 for i in layers] for bits in ideals], dtype=bool), True)

    @classmethod
    def prefixes(cls, profile: Profile) -> States:
        """The sets of the first 0, 1, 2, ... layers."""
        import numpy as np

        layers = len(profile.layers)
        return cls(profile, np.tri(layers + 1, layers, -1, dtype=bool), profile.is_chain)

    def __len__(self) -> int:
        return len(self.member)

    @cached_property
    def seconds(self) -> Vector:
        """Forward and backward of the layers so far."""
        return self._sum("seconds")

    @cached_property
    def parameter_bytes(self) -> Vector:
        """Their parameters."""
        return self._sum("parameter_bytes")

    @cached_property
    def activation_bytes(self) -> Vector:
        """Their outputs."""
        return self._sum("activation_bytes")

    @cached_property
    def live_bytes(self) -> Vector:
        """What a boundary here hands on: outputs that later layers still need, each once."""
        import numpy as np

        sizes = np.array([layer.activation_bytes for layer in self.profile.layers], dtype=float)
        needed = np.zeros_like(self.member)
        for source, target in self.profile.edges:
            needed[:, source] |= self.member[:, source] & ~self.member[:, target]
        handed_on: Vector = needed @ sizes
        return handed_on

    @cached_property
    def nested(self) -> Mask:
        """(sets, sets): whether the first is a proper subset of the second, so that a stage may lie between."""
        import numpy as np

        common = self.member.astype(np.float32) @ self.member.T.astype(np.float32)
        size = self.member.sum(1)
        inside: Mask = (common == size[:, None]) & (size[:, None] < size[None, :])
        return inside

    def layers(self, first: int, last: int) -> tuple[int, ...]:
        """The layers of the stage between two sets."""
        return tuple((self.member[last] & ~self.member[first]).nonzero()[0].tolist())

    def between(self, totals: Vector) -> Vector:
        """(sets, sets): the part of a running total that falls to the stage between two sets."""
        return totals[None, :] - totals[:, None]

    def _sum(self, field: str) -> Vector:
        import numpy as np

        total: Vector = self.member @ np.array([getattr(layer, field) for layer in self.profile.layers], dtype=float)
        return total


def _ideals(profile: Profile, most: int) -> list[int] | None:
    """All ideals as bit sets, by size; ``None`` where there are more than ``most``."""
    needs = [0] * len(profile.layers)
    for source, target in profile.edges:
        needs[target] |= 1 << source
    found, last = [0], {0}
    while last:
        last = {
            ideal | 1 << layer
            for ideal in last
            for layer, need in enumerate(needs)
            if not ideal >> layer & 1 and not need & ~ideal
        }
        found.extend(sorted(last))
        if len(found) > most:
            return None
    return found
