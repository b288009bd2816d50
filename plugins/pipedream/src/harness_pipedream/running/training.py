"""The model and the data as one worker of a pipeline sees them: its stage, its minibatches, and evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from harness_pipedream.models.layers import BUILDING, EXAMPLES, layer_graph
from harness_pipedream.running.progress import epoch_of
from harness_pipedream.running.stage import ModelStage

if TYPE_CHECKING:
    import torch

    from harness import TrainingWorkload, Worker
    from harness_pipedream.planning.schedule import Schedule
    from harness_pipedream.running.runtime import Scaling, Setup

WEIGHTS, VERDICT = 4, 5


def build(worker: Worker, layers: Sequence[Sequence[int]]) -> tuple[torch.nn.Module, list[Any]]:
    """The model with the initial weights of the job's seed, the same on every worker, and its parts by stage."""
    workload: TrainingWorkload = worker.job.workload
    with BUILDING:
        model = workload.initial_model(worker.job.seed, worker.torch_device)
        graph = layer_graph(model, workload.train_set()[0][:EXAMPLES].to(worker.torch_device))
        done = [list(chain(*layers[:stage])) for stage in range(len(layers))]
        return model, [graph.part(stage, before) for stage, before in zip(layers, done, strict=True)]


def heaviest(parts: list[Any]) -> int:
    """The stage with the most parameters: where evaluating moves the fewest bytes."""
    return max(range(len(parts)), key=lambda stage: sum(p.numel() for p in parts[stage].parameters()))


class Minibatches:
    """The order of an epoch's minibatches, and their data on the worker's device."""

    def __init__(self, worker: Worker, microbatches: int) -> None:
        self._job = worker.job
        self._device = worker.torch_device
        self._size = worker.job.workload.batch_size // microbatches
        self._microbatches = microbatches
        self._inputs, self._targets = worker.job.workload.train_set()
        self._epoch = -1
        self._batches: list[Any] = []

    def open(self, epoch_start: int) -> None:
        """Draw the minibatches of the epoch that begins with this one, as the serial run does."""
        if epoch_start != self._epoch:
            self._batches = list(self._job.workload.batches(self._job.rng(epoch_start)))
            self._epoch = epoch_start

    def inputs(self, unit: int) -> torch.Tensor:
        """The samples of a unit."""
        return self._chosen(self._inputs, unit)

    def targets(self, unit: int) -> torch.Tensor:
        """The targets of a unit."""
        return self._chosen(self._targets, unit)

    def _chosen(self, data: torch.Tensor, unit: int) -> torch.Tensor:
        import torch

        minibatch, part = divmod(unit, self._microbatches)
        indices = self._batches[minibatch - self._epoch][part * self._size : (part + 1) * self._size]
        return data[torch.from_numpy(indices)].to(self._device)


class ModelShare:
    """One worker's share of training a torch model: its stage, its minibatches, evaluation."""

    def __init__(self, setup: Setup, worker: Worker) -> None:
        self.worker, self.setup, self.schedule = worker, setup, setup.schedule
        workload: TrainingWorkload = worker.job.workload
        index, _ = self.schedule.place(worker.rank)
        _, parts = build(worker, setup.layers)
        self.lead = self.schedule.ranks(heaviest(parts))[0]
        self.data = Minibatches(worker, self.schedule.microbatches)
        self.stage = ModelStage(
            parts[index],
            workload.optimizer,
            source=self.data.inputs if index == 0 else None,
            loss=self._loss if index == self.schedule.last else None,
            recompute=setup.recompute,
        )
        scale(self.stage.weights.optimizer, setup.scaling, self.schedule, index)
        self.per_epoch, self.evaluations = epoch_of(worker.job)
        self.unit_samples = workload.batch_size // self.schedule.microbatches
        self._model: Any = None
        self._parts: list[Any] = []

    def open(self, epoch_start: int) -> None:
        """Draw the minibatches of an epoch."""
        self.data.open(epoch_start)

    def evaluate(self, step: int) -> bool:
        """Gather the newest weights on the lead, which evaluates while all wait; whether the budget is spent."""
        comm, trace = self.worker.comm, self.worker.trace
        with trace.span("wait", step=step):
            comm.barrier()
        if self.worker.rank != self.lead:
            with trace.span("evaluate", step=step):
                self._give()
                return bool(comm.receive(self.lead, tag=VERDICT))
        with trace.span("evaluate", step=step):
            self._take()
        self.worker.job.workload.evaluate(self._model, trace, step, self.worker.torch_device)
        spent = self.worker.job.spent(epochs=step / self.per_epoch, steps=step)
        with trace.span("evaluate", step=step):
            self._tell(spent)
        return spent

    def _loss(self, output: torch.Tensor, unit: int) -> torch.Tensor:
        loss: torch.Tensor = self.worker.job.workload.loss(output, self.data.targets(unit))
        return loss

    def _give(self) -> None:
        stage, replica = self.schedule.place(self.worker.rank)
        if replica == 0 and self.lead not in self.schedule.ranks(stage):
            for tensor in self.stage.state():
                self.worker.comm.send(tensor, self.lead, tag=WEIGHTS)

    def _take(self) -> None:
        if not self._parts:
            self._model, self._parts = build(self.worker, self.setup.layers)
        for index, part in enumerate(self._parts):
            source = self.schedule.ranks(index)[0]
            own = iter(self.stage.state()) if source == self.lead else None
            for tensor in [*part.parameters(), *part.buffers()]:
                tensor.data.copy_(next(own) if own else self.worker.comm.receive(source, tag=WEIGHTS))

    def _tell(self, spent: bool) -> None:
        import numpy as np

        for rank in range(self.worker.size):
            if rank != self.lead:
                self.worker.comm.send(np.array(spent, np.uint8), rank, tag=VERDICT)


def scale(optimizer: torch.optim.Optimizer | None, scaling: Scaling, schedule: Schedule, stage: int) -> None:
    """Tell a stage's optimizer how many minibatches one of its updates averages, and scale its step size with them."""
    replicas = schedule.replicas[stage]
    factor = {"constant": 1.0, "linear": replicas, "relative": replicas / schedule.replicas[0]}[scaling]
    for group in optimizer.param_groups if optimizer else ():
        group["lr"] *= factor
        group["minibatches_an_update"] = schedule.rounds[stage] // schedule.microbatches
