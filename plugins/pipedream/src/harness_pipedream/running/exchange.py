"""What a worker hands to the stages beside its own, and what it gets from them.

Activations go to the next stage, gradients to the one before, both to the replica that handles the unit there.
Between two ranks units go in rising order, so that no message has to say which it is. Sending does not
wait: wires have threads of their own, which also take in what arrives while a stage computes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness import Worker
    from harness.worker import Handle
    from harness_pipedream.planning.schedule import Schedule

ACTIVATIONS, GRADIENTS = 1, 2


class Exchange:
    """One worker's links along the pipeline."""

    def __init__(self, worker: Worker, schedule: Schedule, stage: int) -> None:
        self._worker = worker
        self._schedule = schedule
        self._stage = stage
        self._sent: deque[Handle] = deque()
        self._patience = 4 * (schedule.warmups[stage] + 1)

    def inputs(self, unit: int, count: int, *, step: int) -> list[Any]:
        """Wait for a unit's activations from the stage before."""
        return self._receive(self._stage - 1, unit, count, ACTIVATIONS, step)

    def gradients(self, unit: int, count: int, *, step: int) -> list[Any]:
        """Wait for the gradients of a unit's activations from the next stage."""
        return self._receive(self._stage + 1, unit, count, GRADIENTS, step)

    def send_outputs(self, unit: int, arrays: Sequence[Any], *, step: int) -> None:
        """Start sending a unit's activations to the next stage."""
        self._send(self._stage + 1, unit, arrays, ACTIVATIONS, step)

    def send_gradients(self, unit: int, arrays: Sequence[Any], *, step: int) -> None:
        """Start sending the gradients of a unit's inputs to the stage before."""
        self._send(self._stage - 1, unit, arrays, GRADIENTS, step)

    def drain(self) -> None:
        """Wait until everything is sent."""
        while self._sent:
            self._sent.popleft().wait()

    def _receive(self, stage: int, unit: int, count: int, tag: int, step: int) -> list[Any]:
        if not count:
            return []
        peer = self._schedule.handler(stage, unit)
        with self._worker.trace.span("wait", step=step, peer=peer):
            handles = [self._worker.comm.irecv(peer, tag=tag) for _ in range(count)]
            return [handle.wait() for handle in handles]

    def _send(self, stage: int, unit: int, arrays: Sequence[Any], tag: int, step: int) -> None:
        if not arrays:
            return
        peer = self._schedule.handler(stage, unit)
        with self._worker.trace.span("send", step=step, peer=peer):
            self._sent.extend(self._worker.comm.isend(array, peer, tag=tag) for array in arrays)
            while len(self._sent) > self._patience * len(arrays):
                self._sent.popleft().wait()
