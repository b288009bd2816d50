"""How far training has come, where it pauses and where it ends: the same on every rank.

Ranks of a pipeline are at different minibatches at any one time, so that none can simply stop. What
budgets of steps and epochs allow, all know beforehand. A target is judged where all pause to
evaluate; the minibatches that are in flight then are finished. For a budget of seconds one rank, the
lead, decides for blocks of minibatches, so far ahead that nobody has to wait for its word.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness import HarnessError, TrainingWorkload

if TYPE_CHECKING:
    from harness import Budget, Job, Worker
    from harness_pipedream.planning.schedule import Schedule

DECISIONS = 3


def epoch_of(job: Job[Any]) -> tuple[int, float]:
    """Minibatches and evaluations an epoch; without data, all that the budget allows are one epoch."""
    workload = job.workload
    if isinstance(workload, TrainingWorkload):
        samples = len(workload.train_set()[1])
        if samples < workload.batch_size:
            raise HarnessError(f"{workload.name} has {samples} samples, not one minibatch of {workload.batch_size}")
        return samples // workload.batch_size, workload.evaluations
    if job.budget.steps is None:
        raise HarnessError(f"{workload.name} has no data and no epochs: give a budget of steps")
    return job.budget.steps, 1.0


class Gate:
    """The lead's word on which minibatches may be begun; open where no budget of seconds is set.

    It decides about each block while the one before is under way.
    """

    def __init__(self, worker: Worker, lead: int, schedule: Schedule, first: int) -> None:
        self.end = math.inf
        self._worker = worker
        self._lead = lead
        self.first = first
        self._block = 2 * (schedule.ahead // schedule.microbatches + schedule.period + max(schedule.replicas))
        self._timed = worker.job.budget.seconds is not None
        self._decided = 0

    def begin(self, minibatch: int) -> None:
        """Decide, on the lead, about the block after this one's; called where a forward begins."""
        if self._timed and self._worker.rank == self._lead:
            while self._decided <= (minibatch - self.first) // self._block:
                closed = self.end < math.inf or self._worker.job.spent()
                self._tell(closed)
                self._note(closed)

    def admits(self, minibatch: int) -> bool:
        """Whether a minibatch may be begun."""
        if self._timed:
            while self._decided < (minibatch - self.first) // self._block:
                self._note(bool(self._worker.comm.receive(self._lead, tag=DECISIONS)))
        return minibatch < self.end

    def _note(self, closed: bool) -> None:
        self._decided += 1
        if closed:
            self.end = min(self.end, self.first + self._decided * self._block)

    def _tell(self, closed: bool) -> None:
        import numpy as np

        for rank in range(self._worker.size):
            if rank != self._lead:
                self._worker.comm.isend(np.array(closed, np.uint8), rank, tag=DECISIONS)


class Admission:
    """Which units of a segment may be begun: those before ``end``, which may yet come nearer."""

    def __init__(self, gate: Gate, first: int, end: int, microbatches: int) -> None:
        self.first = first
        self.end = (end - first) * microbatches
        self._gate = gate
        self._microbatches = microbatches

    def __call__(self, unit: int) -> bool:
        """Whether a unit may be begun."""
        if unit < self.end and not self._gate.admits(self.minibatch(unit)):
            self.end = max(0, int(self._gate.end) - self.first) * self._microbatches
        return unit < self.end

    def minibatch(self, unit: int) -> int:
        """The minibatch, counted over the whole run, that a unit is (part of)."""
        return self.first + unit // self._microbatches


class Progress:
    """The minibatches done since training began, in segments that end with an empty pipeline."""

    def __init__(
        self,
        budget: Budget,
        schedule: Schedule,
        gate: Gate,
        *,
        per_epoch: int,
        evaluations: float,
        every: int | None = None,
    ) -> None:
        self.step = gate.first
        self.evaluated = gate.first
        self.stopped = False
        self.per_epoch = per_epoch
        self._gate = gate
        self._flush = schedule.segment
        self._every = every
        self._pace = max(1, round(per_epoch / evaluations))
        self._allowed = budget.last_step(per_epoch)

    @property
    def over(self) -> bool:
        """Whether no segment is to follow."""
        return self.stopped or self.step >= min(self._allowed, self._gate.end)

    @property
    def epoch_start(self) -> int:
        """The first minibatch of the epoch under way."""
        return self.step - self.step % self.per_epoch

    def segment_end(self) -> int:
        """Where the pipeline has to be empty next: at a flush, a checkpoint, the epoch's end or the budget's."""
        ends = [self.epoch_start + self.per_epoch, self._allowed]
        if self._flush:
            ends.append(self.step + self._flush)
        if self._every:
            ends.append(self.step - self.step % self._every + self._every)
        return int(min(ends))

    def due(self, step: int) -> bool:
        """Whether to evaluate after so many minibatches: the first chance at or after each pace of the workload's."""
        return step // self._pace > self.evaluated // self._pace

    def checkpoint_due(self) -> bool:
        """Whether this end of a segment is kept."""
        return self._every is not None and (self.step % self._every == 0 or self.step == self._allowed)
