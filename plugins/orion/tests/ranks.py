"""A loop on several ranks, of which rank 0 tells what came out and every rank what it ran."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from distloops import Case

from harness import Budget, Job, Trace, TraceWriter, Worker, Workload, devices
from harness.tracefile import merge
from harness_orion import Accumulator, DistArray
from harness_orion.ranks.distributed import Distributed, Options
from harness_orion.running.serial import run_positions


class Nothing(Workload):
    """What is run is given otherwise."""

    name: ClassVar[str] = "nothing"

    def prepare(self) -> None:
        """Nothing to prepare."""


After = Callable[[int, Worker], None]


def nothing(_passes: int, _worker: Worker) -> None:
    """What happens between passes."""


def die_once(mark: Path, passes: int, worker: Worker) -> None:
    """After the first pass the last rank kills itself, while the mark is there."""
    if passes == 1 and worker.rank == worker.size - 1 and mark.exists():
        mark.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Outcome:
    """Rank 0's arrays and sums, and the entries that each rank ran in each turn of a pass."""

    arrays: list[np.ndarray]
    turns: list[list[tuple[int, np.ndarray]]]
    strategy: str
    exact: bool
    trace: Trace | None = None


def share(make: Callable[[], Case], passes: int, options: Options, after: After, worker: Worker) -> tuple[Any, ...]:
    """What one rank does."""
    loop, arguments = make()
    runner = Distributed(loop, arguments, worker.comm, trace=worker.trace, options=options)
    while runner.passes < passes:
        runner.run()
        after(runner.passes, worker)
    with worker.trace.span("evaluate"):
        runner.gather()
    ends = runner.turn_ends
    order = runner.memory.rotation.ring.order if runner.memory.rotation else range(len(ends) - 1)
    turns = [(turn, runner.packed.positions[ends[turn] : ends[turn + 1]]) for turn in order]
    return contents(arguments), turns, runner.plan.strategy, runner.exact


def contents(arguments: list[Any]) -> list[np.ndarray]:
    """The arrays and sums among a loop's arguments."""
    found = [a for a in arguments if isinstance(a, DistArray | Accumulator)]
    return [np.array(a.values if isinstance(a, DistArray) else a.value) for a in found]


def run(
    make: Callable[[], Case],
    workers: int,
    folder: Path,
    *,
    passes: int = 1,
    device: Any = None,
    options: Options | None = None,
    after: After = nothing,
) -> Outcome:
    """Run a loop on threads, or on another device."""
    folder.mkdir(exist_ok=True)
    job = Job(Nothing(), device or devices.Cpu(), Budget(), 0, TraceWriter(folder), folder)
    told = job.launch(partial(share, make, passes, options or Options(), after), workers)
    job.trace.close()
    arrays, _, strategy, exact = told[0]
    return Outcome(arrays, [t[1] for t in told], strategy, exact, Trace.read(merge(folder)))


def replay(make: Callable[[], Case], outcome: Outcome, *, passes: int = 1, wavefront: bool = False) -> list[np.ndarray]:
    """Run the turns one after the other in pure Python: the n-th of every rank, or the diagonals of a wavefront."""
    loop, arguments = make()
    steps = [
        (turn + rank if wavefront else n, rank, positions)
        for rank, turns in enumerate(outcome.turns)
        for n, (turn, positions) in enumerate(turns)
    ]
    order = np.concatenate([positions for _, _, positions in sorted(steps, key=lambda step: step[:2])])
    assert sorted(order.tolist()) == list(range(len(loop.space)))
    for _ in range(passes):
        run_positions(loop.body, loop.space, arguments, order)
    return contents(arguments)
