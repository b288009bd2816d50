"""Orion on threads and on ranks: plan, compile and warm up ahead of the clock, then passes."""

from __future__ import annotations

from typing import Any

from harness import Job, Worker
from harness_orion.parallelizers.passes import run_passes
from harness_orion.parallelizers.turns import Turns
from harness_orion.running.program import Program
from harness_orion.workloads.loops import LoopWorkload


def run_threads(
    job: Job[LoopWorkload], *, workers: int, balanced: bool, tiled: bool, blocks: int = 1, in_turn: bool = False
) -> None:
    """Run on threads of one process; ``in_turn``: as many serial programs take their turn after each pass."""

    def main(worker: Worker) -> None:
        with worker.trace.span("prepare"):
            arrays = job.workload.arrays(job.seed)
            loop = job.workload.loop(job.seed)
            program = loop.compile(
                *arrays, workers=workers, blocks=blocks, balanced=balanced, tiled=tiled, seed=job.seed
            )
            program.warm_up()
            turns = Turns(worker, workers) if in_turn else None
        worker.trace.fact("plan", described(program))
        run_passes(worker, arrays, program.run, turns)

    job.launch(main, 1)


def described(program: Program) -> dict[str, Any]:
    """What was decided, as a fact."""
    plan = program.plan
    return {"strategy": plan.strategy, "space": plan.space_dim, "time": plan.time_dim, "runs": program.how}
