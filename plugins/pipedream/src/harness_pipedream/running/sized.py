"""A worker's share without numerics: nothing is computed, and what is sent has a size and no content.

Devices with a virtual clock charge the profile's seconds for it; links and schedule are those of real training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from harness import HarnessError
from harness_pipedream.running.progress import epoch_of

if TYPE_CHECKING:
    from harness import Communicator, Worker
    from harness_pipedream.running.runtime import Setup, StageCost


class SizedShare:
    """One worker's share of a workload that is known by its profile alone."""

    def __init__(self, setup: Setup, worker: Worker) -> None:
        if setup.costs is None:
            raise HarnessError("without numerics a pipeline needs a profile: what its layers cost and hand on")
        index, _ = setup.schedule.place(worker.rank)
        workload = worker.job.workload
        received = setup.costs[index - 1].outputs if index else ()
        self.stage = SizedStage(setup.costs[index], received)
        self.lead = setup.schedule.ranks(setup.schedule.last)[0]
        self.per_epoch, self.evaluations = epoch_of(worker.job)
        self.unit_samples = workload.batch_size // setup.schedule.microbatches
        self._worker = worker

    def open(self, epoch_start: int) -> None:
        """Nothing to draw."""

    def evaluate(self, step: int) -> bool:
        """Nothing to measure; budgets of steps and epochs are known to all, and no target can be reached."""
        return False


class SizedStage:
    """A stage that hands on as many bytes as it would, and takes no time of its own."""

    def __init__(self, cost: StageCost, received: Sequence[int]) -> None:
        self.receives = len(received)
        self._cost = cost
        self._received = received
        self._peers: Communicator | None = None
        self._under_way: Callable[[], None] | None = None

    def forward(self, unit: int, version: int, inputs: Sequence[Any]) -> tuple[Any, ...]:
        """Arrays as large as the outputs."""
        return tuple(map(hollow, self._cost.outputs))

    def awaits(self, unit: int) -> int:
        """As many gradients as outputs."""
        return len(self._cost.outputs)

    def join(self, peers: Communicator, *, overlaps: bool) -> None:
        """Send, from now on, what summing gradients over the stage's replicas takes."""
        self._peers = peers

    def backward(self, unit: int, version: int, gradients: Sequence[Any], *, closing: bool = False) -> tuple[Any, ...]:
        """Arrays as large as the inputs; in a round's ``closing`` backward, sums begin beside it."""
        if closing:
            self._under_way = self._begun(self._cost.gradients)
        return tuple(map(hollow, self._received))

    def reduce(self) -> None:
        """Wait for the sums of the round's gradients; a replica that had no backward adds nothing, but takes part."""
        wait = self._under_way or self._begun([(size, 0.0) for size, _ in self._cost.gradients])
        self._under_way = None
        wait()

    def _begun(self, gradients: Sequence[tuple[int, float]]) -> Callable[[], None]:
        beside = getattr(self._peers, "all_reduce_beside", None)
        if beside is None:
            return self._reduce
        waits: Callable[[], None] = beside([(hollow(size), ago) for size, ago in gradients])
        return waits

    def _reduce(self) -> None:
        if self._peers:
            self._peers.all_reduce(hollow(self._cost.parameter_bytes))

    def update(self, version: int, *, oldest: int, units: int) -> None:
        """Nothing to update."""

    def restart(self) -> None:
        """Nothing to forget."""

    def checkpoint(self) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    def resume(self, found: dict[str, Any]) -> None:
        """Nothing to restore."""


@cache
def hollow(size: int) -> Any:
    """So many bytes that take up one: every element is the same place in memory."""
    import numpy as np

    return np.broadcast_to(np.zeros((), np.uint8), (size,))
