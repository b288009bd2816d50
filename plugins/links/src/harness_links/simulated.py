"""The device ``simulated``: a machine with virtual clocks and links, run event by event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from pydantic import Field, PositiveFloat, PositiveInt

from harness import Job, Worker
from harness_links.topology import LinkedDevice

Result = TypeVar("Result")


class Simulated(LinkedDevice):
    """Workers with virtual clocks, linked as a topology says; deterministic, with or without numerics."""

    name: ClassVar[str] = "simulated"

    numerics: bool = Field(True, description="compute the bodies of work that has a cost; a cell may turn it off too")
    speed: PositiveFloat = Field(
        1.0, description="of its processors: work without a cost takes its real time over this"
    )
    threads: PositiveInt = Field(1, description="compute threads of the real work")

    def launch(self, main: Callable[[Worker], Result], workers: int, job: Job[Any]) -> list[Result]:
        """Run ``main`` once per worker, whichever has the smallest virtual time first; what each returned, by rank."""
        from harness_links.simulation import simulate

        return simulate(main, workers, job, self)
