"""One worker of a pipeline: its list of operations, run in order.

A forward waits for the activations from the stage before and starts sending its own; a backward does so
with gradients, the other way; an update follows each round of a stage's replicas, which sum their
gradients. Nobody coordinates: all ranks derive the same schedule and the same minibatches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness_pipedream.running.exchange import Exchange
from harness_pipedream.running.progress import Admission, Gate, Progress

if TYPE_CHECKING:
    from harness import Worker
    from harness_pipedream.planning.schedule import Operation, Schedule
    from harness_pipedream.running.checkpoint import Checkpoints

Scaling = Literal["constant", "linear", "relative"]


@dataclass(frozen=True)
class StageCost:
    """Seconds that a unit takes in one stage, and the bytes of each tensor that it hands on.

    ``gradients`` are the buckets that replicas sum: their bytes, and how long before a backward's end each is full.
    """

    forward_seconds: float | None = None
    backward_seconds: float | None = None
    update_seconds: float | None = None
    outputs: tuple[int, ...] = ()
    parameter_bytes: int = 0
    gradients: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Setup:
    """All that the workers of one pipeline agree on before they begin.

    ``layers`` are each stage's, as indices into the model's graph; ``costs`` by stage, where known.
    """

    layers: tuple[tuple[int, ...], ...]
    schedule: Schedule
    recompute: bool = False
    scaling: Scaling = "constant"
    costs: tuple[StageCost, ...] | None = None
    checkpoints: Checkpoints | None = None


class Share(Protocol):
    """What one worker computes: a stage of a model, or where numerics are left out, its sizes."""

    stage: Any
    lead: int
    per_epoch: int
    evaluations: float
    unit_samples: int

    def open(self, epoch_start: int) -> None:
        """Draw the minibatches of the epoch that begins here."""

    def evaluate(self, step: int) -> bool:
        """Measure the model after so many minibatches, while all wait; whether the budget is spent."""


def train(setup: Setup, worker: Worker) -> None:
    """Train this worker's stage until the budget is spent."""
    with worker.trace.span("prepare"):
        pipeline = Pipeline(setup, worker)
    pipeline.run()


class Pipeline:
    """A worker's share of the training, its links, and how far it has come."""

    def __init__(self, setup: Setup, worker: Worker) -> None:
        self.worker, self.schedule, self.checkpoints = worker, setup.schedule, setup.checkpoints
        self.index, self.replica = self.schedule.place(worker.rank)
        self.share = share_of(setup, worker)
        self.cost = setup.costs[self.index] if setup.costs else StageCost()
        self.links = Exchange(worker, self.schedule, self.index)
        ranks = self.schedule.ranks(self.index)
        self.replicated = len(ranks) > 1
        if self.replicated:
            self.share.stage.join(worker.comm.group(ranks), overlaps=not hasattr(worker.job.device, "numerics"))
        done = self.checkpoints.restore(worker, self.schedule, self.share) if self.checkpoints else 0
        self.gate = Gate(worker, self.share.lead, self.schedule, done)
        self.progress = Progress(
            worker.job.budget,
            self.schedule,
            self.gate,
            per_epoch=self.share.per_epoch,
            evaluations=self.share.evaluations,
            every=(self.checkpoints.every or self.share.per_epoch) if self.checkpoints else None,
        )
        self.updates = 0  # before this segment
        worker.trace.fact("stage", {"stage": self.index, "replica": self.replica, "layers": setup.layers[self.index]})
        worker.comm.barrier()

    def run(self) -> None:
        """Train, segment by segment; evaluate what came of it unless that was just done."""
        while not self.progress.over:
            self._segment()
        if self.progress.step > self.progress.evaluated:
            self._evaluate(self.progress.step)

    def _segment(self) -> None:
        progress = self.progress
        self.share.open(progress.epoch_start)
        units = Admission(self.gate, progress.step, progress.segment_end(), self.schedule.microbatches)
        included = version = 0
        for operation in self.schedule.operations(self.index, self.replica, units):
            if operation.kind == "forward":
                self._forward(operation, units)
            elif operation.kind == "backward":
                self._backward(operation, units)
            else:
                self._update(operation, units, operation.unit - included)
                included, version = operation.unit, operation.version
        self.links.drain()
        self.share.stage.restart()
        self.updates += version
        progress.step = units.minibatch(units.end)
        if progress.due(progress.step) and not progress.stopped:
            progress.stopped = self._evaluate(progress.step)
        if self.checkpoints and progress.checkpoint_due():
            self.checkpoints.save(self.worker, self.schedule, self.share, progress.step)

    def _forward(self, operation: Operation, units: Admission) -> None:
        step, unit = self._numbers(operation, units)
        self.gate.begin(step)
        self.worker.trace.value("version", self.updates + operation.version, step=step)
        arrays = self.links.inputs(operation.unit, self.share.stage.receives, step=step)
        with self.worker.work("forward", self.cost.forward_seconds, step=step):
            outputs = self.share.stage.forward(unit, operation.version, arrays)
        self.links.send_outputs(operation.unit, outputs, step=step)

    def _backward(self, operation: Operation, units: Admission) -> None:
        step, unit = self._numbers(operation, units)
        arrays = self.links.gradients(operation.unit, self.share.stage.awaits(unit), step=step)
        self.worker.trace.value("version", self.updates + operation.version, step=step)
        with self.worker.work("backward", self.cost.backward_seconds, step=step):
            gradients = self.share.stage.backward(unit, operation.version, arrays, closing=operation.closing)
        self.links.send_gradients(operation.unit, gradients, step=step)
        if self.index == self.schedule.last:
            self.worker.trace.count("samples", self.share.unit_samples, step=step)

    def _update(self, operation: Operation, units: Admission, averaged: int) -> None:
        step = units.minibatch(operation.unit - 1)
        if self.replicated:
            with self.worker.trace.span("all_reduce", step=step):
                self.share.stage.reduce()
        with self.worker.work("update", self.cost.update_seconds, step=step):
            self.share.stage.update(operation.version, oldest=operation.oldest, units=averaged)
        aligned = operation.unit % (self.schedule.microbatches * self.schedule.period) == 0
        if aligned and operation.unit < units.end and self.progress.due(step + 1) and self._evaluate(step + 1):
            self.progress.stopped = True
            units.end = min(units.end, operation.unit + self.schedule.ahead)  # What is in flight is finished.

    def _evaluate(self, step: int) -> bool:
        self.progress.evaluated = step
        return self.share.evaluate(step)

    def _numbers(self, operation: Operation, units: Admission) -> tuple[int, int]:
        """The minibatch and the unit, counted over the whole run."""
        return units.minibatch(operation.unit), units.first * self.schedule.microbatches + operation.unit


def share_of(setup: Setup, worker: Worker) -> Share:
    """What this worker computes: its layers, or where numerics are left out, their sizes."""
    if not worker.job.numerics:
        from harness_pipedream.running.sized import SizedShare

        return SizedShare(setup, worker)
    from harness_pipedream.running.training import ModelShare

    return ModelShare(setup, worker)
