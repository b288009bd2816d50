"""Passes of a loop on one worker until the budget is spent, evaluated outside of the clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness import Job, Worker
from harness_orion.workloads.loops import LoopWorkload

if TYPE_CHECKING:
    from harness_orion.parallelizers.turns import Turns

Pass = Callable[[], None]


def run_plainly(job: Job[LoopWorkload]) -> None:
    """The reference: the loop as Python runs it."""

    def main(worker: Worker) -> None:
        with worker.trace.span("prepare"):
            loop, arrays = job.workload.loop(job.seed), job.workload.arrays(job.seed)
        run_passes(worker, arrays, lambda: loop(*arrays))

    job.launch(main, 1)


def run_passes(worker: Worker, arrays: tuple[Any, ...], run: Pass, turns: Turns | None = None) -> None:
    """Run passes on the only worker, scoring the arrays now and then; ``turns`` are taken after each."""
    job, trace = worker.job, worker.trace
    workload: LoopWorkload = job.workload
    done, updates = 0, workload.updates
    trace.begin()
    while not job.spent(epochs=done, steps=done):
        with worker.work("pass", step=done):
            run()
            workload.advance(arrays, done + 1)
        if turns:
            turns.take(done)
        done += 1
        trace.count("updates", updates, step=done)
        if done % workload.evaluate_every == 0:
            evaluate(worker, arrays, done)
    if done % workload.evaluate_every:
        evaluate(worker, arrays, done)


def evaluate(worker: Worker, arrays: tuple[Any, ...], done: int) -> None:
    """Record the scores after so many passes."""
    with worker.trace.span("evaluate", step=done):
        scores = worker.job.workload.score(arrays, worker.job.seed)
    for name, value in scores.items():
        worker.trace.value(name, value, step=done)
