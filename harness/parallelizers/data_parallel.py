"""One worker of data parallelism: its share of each minibatch, the mean of all gradients, the same update.

All workers stop after the same step. Budgets of steps and epochs all of them know. A target is seen by
the first worker, which tells the others whenever it has evaluated; they wait for that, and it does not
count as work. Of a budget of seconds it tells them at each step whether that is the last: a byte for
each worker, sent before the step and read after it, so that nobody waits.
"""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harness.parallelizers.averaging import Average, averaging
from harness.parallelizers.ddp import Costs, Ddp
from harness.worker import Worker
from harness.workloads.training import TrainingWorkload

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAST = 1
REPEATS = 5


def train(way: Ddp, costs: Costs, worker: Worker) -> None:
    """Train until the budget is spent."""
    job = worker.job
    workload: TrainingWorkload = job.workload
    per_epoch = len(workload.train_set()[1]) // workload.batch_size
    pace = max(1, round(per_epoch / workload.evaluations))
    agreement = Agreement(worker, per_epoch)
    with ExitStack() as stack:
        with worker.trace.span("prepare"):
            model = workload.initial_model(job.seed, worker.torch_device)
            average = stack.enter_context(averaging(worker, model, bucket=way.bucket, backend=way.backend))
            replica = Replica(worker, model, average, costs)
            worker.comm.barrier()
        step = 0
        while not agreement.over:
            for batch in workload.batches(job.rng(step)):
                agreement.announce(step)
                replica.step(batch, step)
                step += 1
                agreement.hear(step)
                if step % pace == 0:
                    agreement.judge(replica, step)
                if agreement.over:
                    break
        if step % pace:
            agreement.judge(replica, step)


class Replica:
    """A worker's copy of the model, and its share of the data."""

    def __init__(self, worker: Worker, model: torch.nn.Module, average: Average, costs: Costs) -> None:
        self._worker = worker
        self._workload: TrainingWorkload = worker.job.workload
        self._model, self._average, self._costs = model, average, costs
        self._data = tuple(tensor.to(worker.torch_device) for tensor in self._workload.train_set())
        self._optimizer = self._workload.optimizer(model)

    def step(self, batch: NDArray[np.int64], step: int) -> None:
        """Learn from this worker's share of a minibatch, and from what the others learn of theirs."""
        worker, costs = self._worker, self._costs
        chosen = torch.from_numpy(np.split(batch, worker.size)[worker.rank])
        inputs, targets = (tensor[chosen.to(tensor.device)] for tensor in self._data)
        loss: Any = None
        with worker.work("forward", costs.forward, step=step) as computed:
            if computed:
                self._optimizer.zero_grad()
                loss = self._workload.loss(self._average.model(inputs), targets)
        with worker.work("backward", costs.backward, step=step) as computed:
            if computed:
                loss.backward()
        self._average.finish(step)
        with worker.work("update", costs.update, step=step) as computed:
            if computed:
                self._optimizer.step()
        worker.trace.count("samples", len(chosen))

    def evaluate(self, step: int) -> None:
        """Score the model."""
        self._workload.evaluate(self._model, self._worker.trace, step, self._worker.torch_device)


class Agreement:
    """When all workers stop, as the first one says."""

    def __init__(self, worker: Worker, per_epoch: int) -> None:
        self.over = False
        self._worker = worker
        self._per_epoch = per_epoch
        self._last = worker.job.budget.last_step(per_epoch)
        self._timed = worker.job.budget.seconds is not None

    def announce(self, step: int) -> None:
        """Tell, before a step, whether time is up after it."""
        if self._timed and self._worker.rank == 0:
            self.over = self._spent(step)
            for rank in range(1, self._worker.size):
                self._worker.comm.isend(np.array(self.over, np.uint8), rank, tag=LAST)

    def hear(self, step: int) -> None:
        """Count a step, and read what was told before it."""
        if self._timed and self._worker.rank > 0:
            self.over = bool(self._worker.comm.receive(0, tag=LAST))
        self.over = self.over or step >= self._last

    def judge(self, replica: Replica, step: int) -> None:
        """Evaluate on the first worker, the others waiting, and tell them whether that was enough."""
        job, comm = self._worker.job, self._worker.comm
        if not job.numerics:
            return
        if self._worker.rank == 0:
            replica.evaluate(step)
        told = np.array(self._spent(step), np.uint8) if self._worker.rank == 0 else None
        with job.trace.span("evaluate", step=step):
            self.over = bool(comm.broadcast(told)) or self.over

    def _spent(self, step: int) -> bool:
        return self._worker.job.spent(epochs=step / self._per_epoch, steps=step)


def measure(workers: int, worker: Worker) -> Costs:
    """What the share of one of so many workers takes: the median of some, after one that warms up."""
    workload: TrainingWorkload = worker.job.workload
    model = workload.initial_model(worker.job.seed, worker.torch_device)
    optimizer = workload.optimizer(model)
    share = workload.batch_size // workers
    inputs, targets = (tensor[:share].to(worker.torch_device) for tensor in workload.train_set())
    times = []
    for _ in range(REPEATS + 1):
        marks = [_now(worker)]
        loss = workload.loss(model(inputs), targets)
        marks.append(_now(worker))
        loss.backward()  # type: ignore[no-untyped-call]
        marks.append(_now(worker))
        optimizer.step()
        times.append(np.diff([*marks, _now(worker)]))
    return Costs(*(float(median(taken)) for taken in zip(*times[1:], strict=True)))


def _now(worker: Worker) -> float:
    worker.synchronise()
    return perf_counter()
