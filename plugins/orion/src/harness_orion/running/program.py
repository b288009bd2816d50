"""A loop compiled for its arrays: ``run`` does one pass over the space on threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from types import FunctionType
from typing import Any

import numpy as np

from harness import HarnessError
from harness_orion.analysis.plan import Plan
from harness_orion.analysis.scheduling import schedule
from harness_orion.arrays import DistArray, DistArrayBuffer
from harness_orion.compiling.flush import Flush, build_flush
from harness_orion.compiling.kernel import How, Kernel, build_kernel
from harness_orion.compiling.views import own, reduce, refuse_nan
from harness_orion.reading.values import SPACE
from harness_orion.running.packing import Packed, columns, pack, repack, unpack
from harness_orion.running.records import lay_side_by_side
from harness_orion.running.threads import Step, run_steps, steps_of
from harness_orion.running.tiles import arranged
from harness_orion.space import Space


@dataclass(frozen=True, eq=False)
class Program:
    """A loop that is ready to run, any number of times, over the arrays that it was compiled for.

    A pass equals the serial run of ``packed``'s order (for ordered loops, *the* serial order): threads change nothing,
    but in the sums of accumulators, and in when a buffer's changes arrive. ``exact``: it also equals plain
    Python, bit for bit; else to rounding.
    """

    plan: Plan
    space: Space
    arguments: Mapping[str, Any]
    kernel: Kernel
    packed: Packed
    steps: tuple[Step, ...]
    flushes: Mapping[str, Flush]
    finite: bool = True
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def how(self) -> How:
        """How the body runs: "rows", "arrays" or "python"; see ``why``."""
        return self.kernel.how

    @property
    def why(self) -> str:
        """What stood in the way of a better way to run it; empty for "rows"."""
        return self.kernel.why

    @property
    def source(self) -> Path | None:
        """The generated file; None where the body itself runs."""
        return self.kernel.source

    @property
    def exact(self) -> bool:
        """Whether a pass equals plain Python's bit for bit."""
        return self.kernel.exact

    def run(self) -> None:
        """Run all entries once, changing the arrays in place.

        Raises HarnessError for a subscript out of range and an exception of the body, naming the key; for NaN, after
        the pass, naming the element. The arrays are then as far as the pass has come.
        """
        for argument in self.arguments.values():
            if isinstance(argument, DistArray):
                argument.settle()
        owned = self._owned
        try:
            run_steps(self.steps, lambda step: self._run(step, owned[step.worker]))
        except BaseException:
            # What a broken pass has buffered and summed is of no use to the next.
            del self.__dict__["_owned"]
            raise
        reduce(list(self.arguments.values()), owned)
        if self.finite:
            refuse_nan(self.arguments, after="after a pass: smaller steps may help")

    def warm_up(self) -> None:
        """Compile what is compiled at its first call, on no entries."""
        self.kernel(self.packed, 0, 0, own(list(self.arguments.values())))

    def refresh(self) -> None:
        """Read the space's values again, where they have changed since."""
        repack(self.space, self.packed)

    @cached_property
    def _owned(self) -> list[list[Any]]:
        """Each worker's arguments, with its own buffers and accumulators."""
        return [own(list(self.arguments.values())) for _ in range(1 + max(s.worker for s in self.steps))]

    def _run(self, step: Step, arguments: list[Any]) -> None:
        buffers = {n: a for n, a in zip(self.arguments, arguments, strict=True) if isinstance(a, DistArrayBuffer)}
        delays = [b.max_delay for b in buffers.values() if b.max_delay is not None]
        stride = min(delays, default=step.stop - step.start)
        try:
            for start in range(step.start, step.stop, max(1, stride)):
                self.kernel(self.packed, start, min(start + stride, step.stop), arguments)
                self._flush(buffers)
        finally:
            if self.plan.body.is_written(SPACE):
                unpack(self.space, self.packed, step.start, step.stop)

    def _flush(self, buffers: Mapping[str, DistArrayBuffer]) -> None:
        if buffers:
            with self._lock:
                for name, buffer in buffers.items():
                    self.flushes[name](buffer)


def compile_plan(
    plan: Plan,
    space: Space,
    function: FunctionType,
    arguments: Mapping[str, Any],
    *,
    workers: int,
    blocks: int,
    balanced: bool,
    tiled: bool,
    seed: int,
    finite: bool,
) -> Program:
    """Lay out a plan's entries for some threads, and compile its body."""
    if workers < 1:
        raise HarnessError(f"there is at least one worker, not {workers}")
    if blocks < 1:
        raise HarnessError(f"a worker has at least one block each way, not {blocks}")
    if finite:
        refuse_nan(arguments, after="before the loop; finite=False lets it be")
        values = {f"val {n}": DistArray(c) for n, c in enumerate(columns(space)) if _holds_numbers(c)}
        refuse_nan(values, after="before the loop; finite=False lets it be")
    drawn = seed if tiled else None
    clocks = list(schedule(plan, space, workers, balanced=balanced, blocks=blocks, seed=drawn))
    steps = tuple(steps_of(plan, clocks))
    positions = arranged(plan, space, [b.positions for clock in clocks for b in clock], drawn)
    packed = pack(space, positions, np.array([s.stop for s in steps], dtype=np.int64))
    lay_side_by_side(plan, arguments)
    kernel = build_kernel(plan, space, arguments, function)
    flushes = {n: build_flush(a) for n, a in arguments.items() if isinstance(a, DistArrayBuffer)}
    return Program(plan, space, arguments, kernel, packed, steps, flushes, finite)


def _holds_numbers(column: Any) -> bool:
    return isinstance(column, np.ndarray) and column.dtype.kind in "fc"
