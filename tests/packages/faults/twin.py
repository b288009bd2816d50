"""Names a component that there is already."""

from __future__ import annotations

from typing import Any, ClassVar

from harness import Job, Parallelizer, Workload, hookimpl


class Serial(Parallelizer[Workload]):
    """Does nothing, under another's name."""

    name: ClassVar[str] = "serial"

    def run(self, job: Job[Any]) -> None:
        pass


@hookimpl
def harness_parallelizers() -> list[type[Parallelizer[Any]]]:
    return [Serial]
