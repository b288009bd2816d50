"""Serial programs in turn with a parallel one: whatever slows the machine slows both, and their ratio stays.

Cells run one after another; on a machine that is shared, each finds it at another speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from harness import Job, Worker
from harness_orion.compiling.files import COMPILING

if TYPE_CHECKING:
    from harness_orion.workloads.loops import LoopWorkload


class Turns:
    """``count`` serial programs of this worker, each over arrays of its own, that take their turn between passes."""

    def __init__(self, worker: Worker, count: int) -> None:
        self._worker = worker
        self._programs = [Serial(worker.job) for _ in range(count)]
        worker.trace.fact("turns", {"programs": count * worker.size})

    def take(self, step: int) -> None:
        """Run a pass of one serial program, all other cores being idle, then one of each program at once.

        They are the spans ``serial``, on rank 0, and ``serials``, on every rank, inside ``evaluate``.
        """
        trace = self._worker.trace
        with trace.span("evaluate", step=step):
            self._meet()
            if self._worker.rank == 0:
                with trace.span("serial", step=step):
                    self._programs[0].run()
            self._meet()
            with trace.span("serials", step=step):
                at_once(self._programs)
            self._meet()

    def _meet(self) -> None:
        if self._worker.size > 1:
            self._worker.comm.barrier()


class Serial:
    """A workload's loop in its own order on one thread, compiled, as ``compiled-serial`` runs it."""

    def __init__(self, job: Job[LoopWorkload]) -> None:
        self._workload = job.workload
        self._arrays = job.workload.arrays(job.seed)
        with COMPILING:
            self._program = job.workload.loop(job.seed).compile(*self._arrays, tiled=False, seed=job.seed)
            self._program.warm_up()
        self._passes = 0

    def run(self) -> None:
        """One pass, with what the workload does after it."""
        self._program.run()
        self._passes += 1
        self._workload.advance(self._arrays, self._passes)


def at_once(programs: Sequence[Serial]) -> None:
    """A pass of each, on a thread of its own."""
    with ThreadPoolExecutor(len(programs)) as pool:
        for running in [pool.submit(one.run) for one in programs]:
            running.result()
