"""Planning alone: loops are analysed and judged, not run in parallel."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from harness import Job, Parallelizer
from harness_orion.workloads.random_loops import RandomLoops


class OrionPlan(Parallelizer[RandomLoops]):
    """Orion's planner, its plans judged by brute force: is any unsound, and how many are serial without need."""

    name: ClassVar[str] = "orion-plan"
    imports: ClassVar[tuple[str, ...]] = ("harness_orion.audit.running", "islpy")

    mode: Literal["exact", "paper"] = Field("exact", description="exact integer sets, or the paper's vectors")

    def run(self, job: Job[RandomLoops]) -> None:
        """Judge one loop after the other."""
        from harness_orion.audit.running import audit

        audit(self, job)
