"""Random loops as a workload: nothing to compute, but plans to judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PositiveInt

from harness import Workload

if TYPE_CHECKING:
    from harness_orion.audit.loops import RandomLoop


class RandomLoops(Workload):
    """Random loops over small arrays: views, aliases, branches, inner loops, helpers, and subscripts from data."""

    name: ClassVar[str] = "random-loops"

    count: PositiveInt = Field(1000, description="loops that stay within their arrays")

    def prepare(self) -> None:
        """Nothing to fetch."""

    def loop(self, seed: int, number: int) -> RandomLoop:
        """One of any number of loops."""
        import numpy as np

        from harness_orion.audit.loops import random_loop

        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
        return random_loop(lambda choices: choices[int(rng.integers(len(choices)))])
