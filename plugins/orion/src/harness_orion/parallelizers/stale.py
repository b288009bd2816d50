"""Bounded staleness, simulated: what each worker sees of the others' changes, clock by clock.

At clock c a worker sees the sum of all changes up to clock c - 1 - s, and its own of the clocks since.
It runs its entries of the clock on a copy of that; the difference is its change. All of it
is deterministic: no thread runs, and the number of simulated workers costs memory alone.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness import Job, Worker
from harness_orion.arrays import DistArray, DistArrayBuffer
from harness_orion.compiling.views import own
from harness_orion.parallelizers.passes import run_passes
from harness_orion.reading.values import SPACE
from harness_orion.running.packing import Packed, pack, unpack
from harness_orion.running.program import Program
from harness_orion.workloads.loops import LoopWorkload

if TYPE_CHECKING:
    from harness_orion.parallelizers import DataParallel

Change = list[NDArray[Any]]


def run_stale(way: DataParallel, job: Job[LoopWorkload]) -> None:
    """Run passes of simulated workers."""

    def main(worker: Worker) -> None:
        with worker.trace.span("prepare"):
            arrays = slowed(job.workload, way.rate).arrays(job.seed)
            program = job.workload.loop(job.seed).compile(*arrays, workers=1, tiled=False)
            program.warm_up()
            server = Server(program, way)
        run_passes(worker, arrays, server.run)

    job.launch(main, 1)


class Server:
    """The arrays, and the changes that not every worker has seen yet."""

    def __init__(self, program: Program, way: DataParallel) -> None:
        self._program, self._way = program, way
        self._arguments = list(program.arguments.values())
        self._shared = [a.values for a in self._arguments if isinstance(a, DistArray)]
        mine = divided(program.packed, way.workers)
        self._parts = [[pack(program.space, p) for p in np.array_split(part, way.clocks)] for part in mine]
        self._pending: list[deque[Change]] = [deque() for _ in range(way.workers)]

    def run(self) -> None:
        """One pass; the changes of its last clocks may reach the arrays in the next one."""
        for clock in range(self._way.clocks):
            made = [self._work(w, parts[clock]) for w, parts in enumerate(self._parts)]
            for pending, change in zip(self._pending, made, strict=True):
                pending.append(change)
            if len(self._pending[0]) > self._way.staleness:
                self._settle([pending.popleft() for pending in self._pending])
        if self._program.plan.body.is_written(SPACE):
            for part in (p for parts in self._parts for p in parts):
                unpack(self._program.space, part)

    def _work(self, worker: int, part: Packed) -> Change:
        """Run a part on the arrays as a worker sees them; the arrays themselves stay, the change is returned."""
        kept = [shared.copy() for shared in self._shared]
        for change in self._pending[worker]:
            _add(self._shared, change)
        before = [shared.copy() for shared in self._shared]
        arguments = own(self._arguments)
        self._program.kernel(part, 0, len(part), arguments)
        for argument in arguments:
            if isinstance(argument, DistArrayBuffer):
                argument.flush()
        change = [now - then for now, then in zip(self._shared, before, strict=True)]
        for shared, old in zip(self._shared, kept, strict=True):
            shared[...] = old
        return change

    def _settle(self, changes: list[Change]) -> None:
        share = len(changes) if self._way.combine == "mean" else 1
        for change in changes:
            _add(self._shared, [part / share if share > 1 else part for part in change])


def slowed(workload: LoopWorkload, factor: float) -> LoopWorkload:
    """The workload with another step size, where it has one."""
    rate = getattr(workload, "rate", None)
    return workload if rate is None else workload.model_copy(update={"rate": rate * factor})


def divided(packed: Packed, workers: int) -> list[NDArray[np.int64]]:
    """Each worker's entries, in their order: about equal parts by the first index, so that workers share no row."""
    rows = packed.keys[0]
    before = np.cumsum(np.bincount(rows))
    part = ((before - 1) * workers // len(rows))[rows]
    return [packed.positions[part == worker] for worker in range(workers)]


def _add(arrays: list[NDArray[Any]], change: Change) -> None:
    for array, part in zip(arrays, change, strict=True):
        array += part.astype(array.dtype, copy=False)
