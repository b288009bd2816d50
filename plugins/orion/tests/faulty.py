"""A plugin for tests: workloads of which one rank kills itself between passes, and one that leaves its arrays."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from running import FewTrees

from harness import Workload, hookimpl
from harness_orion import DistArray, Loop, LoopWorkload
from harness_orion.workloads import MfSgd

LAST = 2


def die(mark: Path) -> None:
    """Kill this process, if it is the first to take the mark away."""
    try:
        mark.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


class MortalFactors(MfSgd):
    """Factors whose rows stay or go round."""

    name: ClassVar[str] = "mortal-factors"
    mark: str

    def advance(self, arrays: tuple[Any, ...], done: int) -> None:
        """Die after some passes."""
        if done == LAST:
            die(Path(self.mark))


class MortalTrees(FewTrees):
    """Trees that grow on every rank between passes."""

    name: ClassVar[str] = "mortal-trees"
    mark: str

    def advance(self, arrays: tuple[Any, ...], done: int) -> None:
        """Grow, and die after some passes."""
        super().advance(arrays, done)
        if done == LAST:
            die(Path(self.mark))


def stray(key, val, A, P):
    A[P[key[0]]] += 1


class Stray(LoopWorkload):
    """A loop whose last subscript, which comes from data, is none of its array."""

    name: ClassVar[str] = "stray"

    def prepare(self) -> None:
        """Nothing to fetch."""

    @property
    def updates(self) -> int:
        """One a key."""
        return 5

    def loop(self, seed: int) -> Loop:
        """The loop."""
        return Loop(stray, 5)

    def arrays(self, seed: int) -> tuple[Any, ...]:
        """An array that is one short, and subscripts."""
        return DistArray(np.zeros(4)), DistArray(np.arange(5))

    def score(self, arrays: tuple[Any, ...], seed: int) -> dict[str, float]:
        """Nothing that is ever asked for."""
        return {"loss": 0.0}


@hookimpl
def harness_workloads() -> Iterable[type[Workload]]:
    """All of them."""
    return (MortalFactors, MortalTrees, Stray)
