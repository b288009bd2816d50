"""The device ``torchrun``: the ranks that torch's launcher started, on one machine or many."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field, PositiveInt

from harness import Availability, Device, Job, Worker

Result = TypeVar("Result")

NEEDED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
START = "torchrun --standalone --nproc-per-node=WORKERS -m harness cell SPEC.json"


class Torchrun(Device):
    """The ranks that torchrun started, one a worker: over gloo on CPUs, over nccl on GPUs.

    The first rank runs the cell, the others wait for what it launches.
    """

    name: ClassVar[str] = "torchrun"
    requires: ClassVar[tuple[str, ...]] = ("torch",)
    remedy: ClassVar[str] = "pip install 'paper-harness[torch]'"
    imports: ClassVar[tuple[str, ...]] = ("torch",)
    start: ClassVar[Literal["torchrun"]] = "torchrun"

    backend: Literal["auto", "nccl", "gloo"] = Field(
        "auto", description="nccl: workers compute on GPUs; gloo: on CPUs; auto: nccl where each has a GPU of its own"
    )
    interface: str = Field("", description="the interface of the links, such as eth1; else the one to the first rank")
    threads: PositiveInt = Field(1, description="compute threads a worker")

    def availability(self) -> Availability:
        """Whether torch is here and its launcher started this process."""
        here = super().availability()
        if not here.ok or all(name in os.environ for name in NEEDED):
            return here
        return Availability(
            False,
            "torchrun needs the ranks that torch's launcher starts",
            f"{START} (harness run SUITE --print-commands prints the line of each cell)",
        )

    def hosted(self) -> AbstractContextManager[bool]:
        """Let the first rank run the cell, and the others serve it."""
        from harness_links.ranks import hosted

        return hosted(self)

    def launch(self, main: Callable[[Worker], Result], workers: int, job: Job[Any]) -> list[Result]:
        """Run ``main`` on all ranks, of which there must be as many as workers; both ways it must be picklable."""
        from harness_links.ranks import launch

        return launch(self, main, workers, job)
