"""The parallelizer that only plans: what a plan promises, as facts in a trace, without any worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, NonNegativeInt, field_validator

from harness import Job, Parallelizer, units
from harness_pipedream.planning.planner import Shape
from harness_pipedream.profiling.published import PublishedProfile


class PlanOnly(Parallelizer[PublishedProfile]):
    """PipeDream's planner alone: the plan, its predicted speed-up, and the seconds it took (SOSP 2019, sec. 3.1)."""

    name: ClassVar[str] = "pipedream-plan"
    imports: ClassVar[tuple[str, ...]] = ("numpy",)
    expected_failures: ClassVar[Mapping[str, str]] = {"other-seed": "a plan does not depend on the seed"}

    levels: str = Field("4 x 10 Gbit/s", description="lowest first, such as '4 x 12 GB/s, 4 x 10 Gbit/s'")
    cost: Literal["ring", "paper", "release"] = Field("ring", description="cost model of a stage")
    shape: Shape = Field("any", description="any, straight or data-parallel")
    memory: units.ByteSize | None = Field(None, description="bytes that a worker has, such as '16 GiB'")
    optimizer_copies: NonNegativeInt = Field(1, description="copies of the optimizer's state")

    @field_validator("levels")
    @classmethod
    def _parses(cls, levels: str) -> str:
        from harness_pipedream.planning.levels import parse_levels

        parse_levels(levels)
        return levels

    def run(self, job: Job[PublishedProfile]) -> None:
        """Plan once, in the span ``plan``, and record the fact ``plan``."""
        from harness_pipedream.planning.explain import explain
        from harness_pipedream.planning.levels import parse_levels
        from harness_pipedream.planning.memory import MemoryLimit
        from harness_pipedream.planning.planner import plan

        profile, levels = job.workload.graph, parse_levels(self.levels)
        limit = MemoryLimit(self.memory, self.optimizer_copies) if self.memory else None
        with job.trace.span("plan"):
            best = plan(profile, levels, cost=self.cost, shape=self.shape, memory=limit)
        found = explain(best, profile, levels, cost=self.cost, optimizer_copies=self.optimizer_copies)
        job.trace.fact("plan", found.to_json())
