"""Plans of a workload's loops judged one by one: what ``orion-plan`` runs."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from harness import Job, Worker
from harness_orion.audit.verdicts import judged
from harness_orion.workloads.random_loops import RandomLoops

if TYPE_CHECKING:
    from harness_orion.parallelizers.planning import OrionPlan


def audit(way: OrionPlan, job: Job[RandomLoops]) -> None:
    """Judge loops until there are as many as the workload has, or the budget is spent; a loop is a step."""

    def main(worker: Worker) -> None:
        trace, done = worker.trace, 0
        trace.begin()
        for number in count():
            if done == job.workload.count or job.spent(steps=done, epochs=done / job.workload.count):
                return
            with worker.work("plan", step=done):
                verdict = judged(job.workload.loop(job.seed, number), mode=way.mode)
            if verdict is None:
                continue
            trace.value("unsound_plans", not verdict.sound, step=done)
            trace.value("serial_plans", verdict.plan.strategy == "serial", step=done)
            trace.value("needlessly_serial", verdict.needlessly_serial, step=done)
            trace.value("needlessly_serial_affine", verdict.needlessly_serial and verdict.affine, step=done)
            done += 1

    job.launch(main, 1)
