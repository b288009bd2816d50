"""The workload kind of a loop that is run again and again: its body, its arrays, and how good they are by now."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, PositiveInt

from harness import Job, Serial, Workload
from harness_orion.loop import Loop

Arrays = tuple[Any, ...]


class LoopWorkload(Workload, Serial):
    """A serial loop over arrays; one run over its space is a pass, which is a step and an epoch of the budget.

    A pass is the loop, then ``advance``: what the program around the loop does. ``updates`` is how
    many iterations of the loop a pass has; ``whole_arrays`` whether ``advance`` needs arrays that the loop may divide,
    in which case it must do the same on every rank; ``ordered`` whether the order of iterations matters.
    """

    imports: ClassVar[tuple[str, ...]] = (
        "harness_orion.running.program",
        "harness_orion.parallelizers.passes",
        "islpy",
    )
    expected_failures: ClassVar[Mapping[str, str]] = {"seconds": "a pass is never cut short, and takes Python seconds"}

    whole_arrays: ClassVar[bool] = False
    ordered: ClassVar[bool] = False

    evaluate_every: PositiveInt = Field(1, description="passes from one evaluation to the next")

    @abstractmethod
    def prepare(self) -> None:
        """Fetch, generate and split the data."""

    @abstractmethod
    def loop(self, seed: int) -> Loop:
        """The loop over a space of its own, whose values no other run changes."""

    @abstractmethod
    def arrays(self, seed: int) -> Arrays:
        """Fresh arguments of the loop."""

    @abstractmethod
    def score(self, arrays: Arrays, seed: int) -> Mapping[str, float]:
        """How good the arrays are: ``loss``, and what else is usual."""

    @property
    @abstractmethod
    def updates(self) -> int:
        """Iterations of the loop in a pass."""

    def advance(self, arrays: Arrays, done: int) -> None:
        """Do what follows the loop in a pass; ``done`` counts passes, this one included."""

    def serial(self, job: Job[Any]) -> None:
        """Run the loop in pure Python."""
        from harness_orion.parallelizers.passes import run_plainly

        run_plainly(job)
