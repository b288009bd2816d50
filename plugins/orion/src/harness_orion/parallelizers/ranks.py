"""Orion on ranks: each keeps its part of the arrays, and rank 0 judges what they hold together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from harness import Job, Worker
from harness_orion.parallelizers.passes import evaluate
from harness_orion.parallelizers.turns import Turns
from harness_orion.ranks.distributed import Distributed, Options
from harness_orion.workloads.loops import Arrays, LoopWorkload

if TYPE_CHECKING:
    from harness_orion.parallelizers import Orion


def run_ranks(way: Orion, job: Job[LoopWorkload]) -> None:
    """Run on the workers of a device."""
    job.launch(partial(run_rank, way), way.workers)


def run_rank(way: Orion, worker: Worker) -> None:
    """One rank: passes until rank 0 says that the budget is spent."""
    job, trace = worker.job, worker.trace
    workload: LoopWorkload = job.workload
    with trace.span("prepare"):
        loop, arrays = workload.loop(job.seed), workload.arrays(job.seed)
        options = Options(balanced=way.balanced, tiled=way.tiled, prefetch=way.prefetch, seed=job.seed)
        distributed = Distributed(loop, arrays, worker.comm, trace=trace, options=options)
        turns = Turns(worker, 1) if way.in_turn else None
        worker.comm.barrier()
    mine = len(distributed.packed)
    done = 0
    trace.begin()
    while not _agreed(worker, done):
        with worker.work("pass", step=done):
            distributed.run()
            _advance(workload, distributed, arrays, done + 1)
        if turns:
            turns.take(done)
        done += 1
        trace.count("updates", mine, step=done)
        if done % workload.evaluate_every == 0:
            _judge(worker, distributed, arrays, done)
    if done % workload.evaluate_every:
        _judge(worker, distributed, arrays, done)


def _advance(workload: LoopWorkload, distributed: Distributed, arrays: Arrays, done: int) -> None:
    """Do what follows the loop, the same on every rank; where it needs them, all arrays are everywhere meanwhile."""
    if workload.whole_arrays:
        distributed.gather(everywhere=True)
    workload.advance(arrays, done)
    if workload.whole_arrays:
        distributed.refresh()


def _judge(worker: Worker, distributed: Distributed, arrays: Arrays, done: int) -> None:
    """Gather the arrays, and score them on rank 0."""
    with worker.trace.span("evaluate", step=done):
        distributed.gather()
    if worker.rank == 0:
        evaluate(worker, arrays, done)


def _agreed(worker: Worker, done: int) -> bool:
    """Whether the budget is spent, as rank 0 knows; nobody's work."""
    spent = worker.job.spent(epochs=done, steps=done)
    told = np.array(spent, np.uint8) if worker.rank == 0 else None
    with worker.trace.span("evaluate", step=done):
        return bool(worker.comm.broadcast(told))
