"""One worker of a pipeline of torch's: its stages, the minibatches, the update, evaluation and the end.

All workers stop after the same minibatch. Budgets of steps and epochs all of them know. A target is
judged where all pause for evaluation, by the lead, on which the weights are gathered. Of a budget of
seconds the lead tells them before each minibatch whether that is the last; they read it after.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from harness import HarnessError, TrainingWorkload, Worker
from harness_peers.cutting import Layers, build
from harness_peers.recorded import Journal, RecordedStage
from harness_pipedream.running.progress import epoch_of
from harness_pipedream.running.training import heaviest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_peers.pipelining import TorchPipeline

WEIGHTS, LAST = 1, 2


def train(method: TorchPipeline, layers: Layers, worker: Worker) -> None:
    """Train this worker's stages until the budget is spent."""
    if worker.torch_group is None:
        raise HarnessError("torch has no process group here: use a device that runs workers as processes")
    with ExitStack() as stack:
        with worker.trace.span("prepare"):
            stack.enter_context(worker.torch_group())
            pipelined = Pipelined(method, layers, computing(worker))
            worker.comm.barrier()
        pipelined.run()


def computing(worker: Worker) -> Worker:
    """The worker, whose clock on a GPU waits for what computes alone: what is being sent may need its next step."""
    if not worker.torch_device.startswith("cuda"):
        return worker
    if dist.get_backend() != "nccl":
        raise HarnessError("gloo sends no tensors of a GPU: torch's schedules need nccl, with a GPU for each worker")
    return replace(worker, synchronise=lambda: torch.cuda.current_stream().synchronize())


class Pipelined:
    """A worker's share of the training, and how far it has come."""

    def __init__(self, method: TorchPipeline, layers: Layers, worker: Worker) -> None:
        self.worker, self.job = worker, worker.job
        self.workload: TrainingWorkload = worker.job.workload
        model, parts, tensors = build(method, worker.job, layers, worker.torch_device)
        self.lead = heaviest(parts) % worker.size
        self.own = range(worker.rank, len(layers), worker.size)
        # Only the lead keeps what is not its own.
        self.model = model if worker.rank == self.lead else None
        self.parts = {index: part for index, part in enumerate(parts) if self.model is not None or index in self.own}
        self.first, self.last = 0 in self.own, len(layers) - 1 in self.own
        self.journal = Journal(worker)
        stages = [RecordedStage(self.parts[index], index, tensors, self.journal) for index in self.own]
        self.schedule = method.schedule(stages, self._loss)
        own = nn.ModuleList(self.parts[index] for index in self.own)
        self.optimizer = self.workload.optimizer(own) if any(True for _ in own.parameters()) else None
        self.inputs, self.targets = self.workload.train_set()
        self.per_epoch, evaluations = epoch_of(worker.job)
        self.pace = max(1, round(self.per_epoch / evaluations))
        self.allowed = worker.job.budget.last_step(self.per_epoch)
        self.over = False
        for index in self.own:
            worker.trace.fact("stage", {"stage": index, "replica": 0, "layers": layers[index]})
        worker.comm.barrier()

    def run(self) -> None:
        """Train; evaluate at the workload's pace and at the end."""
        step = 0
        while not self.over:
            for batch in self.workload.batches(self.job.rng(step)):
                self._announce(step)
                self._step(batch, step)
                step += 1
                self._hear(step)
                if step % self.pace == 0:
                    self._evaluate(step)
                if self.over:
                    break
        if step % self.pace:
            self._evaluate(step)

    def _step(self, batch: NDArray[np.int64], step: int) -> None:
        """One minibatch, all of it, and one update."""
        chosen, device = torch.from_numpy(batch), self.worker.torch_device
        inputs = [self.inputs[chosen].to(device)] if self.first else []
        target = self.targets[chosen].to(device) if self.last else None
        self.journal.begin(step)
        self.schedule.step(*inputs, target=target, return_outputs=False)
        if self.last:
            self.worker.trace.count("samples", len(batch), step=step)
        with self.journal.work("update"):
            if self.optimizer:
                self.optimizer.step()
                self.optimizer.zero_grad()

    def _loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        with self.journal.work("loss"):
            return self.workload.loss(output, target)

    def _announce(self, step: int) -> None:
        """Tell, on the lead, before a minibatch, whether time is up after it."""
        if self.job.budget.seconds is not None and self.worker.rank == self.lead:
            self.over = self._spent(step)
            for rank in range(self.worker.size):
                if rank != self.lead:
                    self.worker.comm.isend(np.array(self.over, np.uint8), rank, tag=LAST)

    def _hear(self, step: int) -> None:
        """Count a minibatch, and read what was told before it."""
        if self.job.budget.seconds is not None and self.worker.rank != self.lead:
            self.over = bool(self.worker.comm.receive(self.lead, tag=LAST))
        self.over = self.over or step >= self.allowed

    def _evaluate(self, step: int) -> None:
        """Gather the weights on the lead, which evaluates while all wait, and tells whether that was enough."""
        comm, trace = self.worker.comm, self.worker.trace
        with trace.span("wait", step=step):
            comm.barrier()
        with trace.span("evaluate", step=step):
            self._gather()
        if self.model is not None:
            self.workload.evaluate(self.model, trace, step, self.worker.torch_device)
        told = np.array(self._spent(step), np.uint8) if self.worker.rank == self.lead else None
        with trace.span("evaluate", step=step):
            self.over = bool(comm.broadcast(told, self.lead)) or self.over

    def _gather(self) -> None:
        """Bring the lead's whole model up to date; its own stages are that already."""
        for index, part in self.parts.items():
            rank = index % self.worker.size
            for tensor in [*part.parameters(), *part.buffers()] if rank != self.lead else ():
                if self.worker.rank == self.lead:
                    tensor.data.copy_(self.worker.comm.receive(rank, tag=WEIGHTS))
                else:
                    self.worker.comm.send(tensor.data, self.lead, tag=WEIGHTS)

    def _spent(self, step: int) -> bool:
        return self.job.spent(epochs=step / self.per_epoch, steps=step)
