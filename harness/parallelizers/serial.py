"""No division of work at all: the reference that every other parallelizer is held against."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.components import Job, Parallelizer, Serial, Workload


class SerialRun(Parallelizer[Workload]):
    """The workload's own one-worker reference, whatever its kind."""

    name: ClassVar[str] = "serial"

    @classmethod
    def accepts(cls) -> tuple[type[Any], ...]:
        """Every workload that offers a serial run."""
        return (Serial,)

    def run(self, job: Job[Any]) -> None:
        """Let the workload do its own work."""
        job.workload.serial(job)
