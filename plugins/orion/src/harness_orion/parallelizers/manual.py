"""A block rotation written by hand: what a programmer does who knows which entries may run at once.

Rows are drawn for the workers, and columns too; at clock c worker w runs the entries of its rows and of
column part c + w, so that no two workers share a row or a column. A barrier ends each clock. Inside of
a block entries lie in tiles that fit the cache, in random order.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from harness import Job, Worker
from harness_orion.arrays import DistArray
from harness_orion.parallelizers import kernels
from harness_orion.parallelizers.passes import run_passes
from harness_orion.space import Entries
from harness_orion.workloads.loops import LoopWorkload

if TYPE_CHECKING:
    from harness_orion.parallelizers import Manual

TILE_BYTES = 2**18  # of rows, and of columns, that a tile touches
Indices = NDArray[np.int64]


def run_manual(way: Manual, job: Job[LoopWorkload]) -> None:
    """Run passes of the rotation."""

    def main(worker: Worker) -> None:
        with worker.trace.span("prepare"):
            arrays = job.workload.arrays(job.seed)
            layout = divide(cast("Entries", job.workload.loop(job.seed).space), arrays, way.workers, job.seed)
            rotation = (Topics if job.workload.name == "lda" else Rotation)(layout, arrays)
            rotation.warm_up()
        with ThreadPoolExecutor(way.workers, "manual") as pool:
            run_passes(worker, arrays, lambda: rotation.run(pool))

    job.launch(main, 1)


@dataclass(frozen=True, eq=False)
class Layout:
    """Entries block by block: ``ends[w * workers + c]`` is where worker w's block of column part c ends."""

    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    values: NDArray[Any]
    ends: Indices
    workers: int


def divide(space: Entries, arrays: tuple[Any, ...], workers: int, seed: int) -> Layout:
    """Sort the entries by block, by tile, and at random."""
    rows, columns = space.indices
    rng = np.random.default_rng(seed)
    drawn = [(rng.permutation(extent)[index], extent) for index, extent in zip(space.indices, space.shape, strict=True)]
    parts = [part_of(index, extent, workers) for index, extent in drawn]  # neighbours in real data are alike
    block = parts[0] * workers + parts[1]
    width = max(1, TILE_BYTES // (arrays[0].values.itemsize * arrays[0].shape[1]))
    tile = rows // width * (space.shape[1] // width + 1) + columns // width
    order = np.lexsort((rng.random(len(rows)), tile, block))
    ends = np.cumsum(np.bincount(block, minlength=workers**2))
    values = np.asarray(space.values)[order]
    return Layout(rows[order].astype(np.int32), columns[order].astype(np.int32), values, ends, workers)


def part_of(index: Indices, extent: int, parts: int) -> Indices:
    """Which of contiguous parts with about equal numbers of entries each index lies in."""
    before = np.cumsum(np.bincount(index, minlength=extent)) - 1
    return np.asarray(before * parts // len(index))[index]


class Rotation:
    """Matrix factorization: all arrays are shared."""

    def __init__(self, layout: Layout, arrays: tuple[Any, ...]) -> None:
        self.layout = layout
        self.arguments = [a.values if isinstance(a, DistArray) else a for a in arrays]
        self.kernel = self.made()
        self._barrier = Barrier(layout.workers)

    def made(self) -> kernels.Kernel:
        """The kernel for these arrays."""
        matrices = [a for a in self.arguments if np.ndim(a) == 2]
        widths = [matrix.shape[1] for matrix in matrices]
        return kernels.sgd(widths[0]) if len(widths) == 2 else kernels.adagrad(widths[0], widths[2])

    def warm_up(self) -> None:
        """Compile, on no entries."""
        self.block(0, 0, empty=True)

    def run(self, pool: ThreadPoolExecutor) -> None:
        """One pass."""
        list(pool.map(self._work, range(self.layout.workers)))

    def _work(self, worker: int) -> None:
        for clock in range(self.layout.workers):
            self.block(worker, (clock + worker) % self.layout.workers)
            self._barrier.wait()
            self.exchange(worker)

    def block(self, worker: int, part: int, *, empty: bool = False) -> None:
        """Run one block."""
        layout, number = self.layout, worker * self.layout.workers + part
        start = int(layout.ends[number - 1]) if number else 0
        stop = start if empty else int(layout.ends[number])
        self.kernel(layout.rows, layout.columns, layout.values, start, stop, *self.given(worker))

    def given(self, worker: int) -> list[Any]:
        """The kernel's arrays, as a worker sees them."""
        return self.arguments

    def exchange(self, worker: int) -> None:
        """What workers tell each other after a clock."""


class Topics(Rotation):
    """LDA: each worker has totals of its own, which become those of all after each clock."""

    def __init__(self, layout: Layout, arrays: tuple[Any, ...]) -> None:
        super().__init__(layout, arrays)
        self.totals = self.arguments[2]
        self._own = [self.totals.copy() for _ in range(layout.workers)]

    def made(self) -> kernels.Kernel:
        """The sampler."""
        return kernels.gibbs(self.arguments[0].shape[1])

    def given(self, worker: int) -> list[Any]:
        """Everything but the buffer, with the worker's totals."""
        documents, words, _, _, *priors = self.arguments
        return [documents, words, self._own[worker], *priors]

    def exchange(self, worker: int) -> None:
        """One worker adds what all changed; the others wait until they may go on."""
        if worker == 0:
            self.totals += sum(own - self.totals for own in self._own)
            for own in self._own:
                own[:] = self.totals
        self._barrier.wait()
