"""Training over partitions that keep their data: a minibatch of each, the rule of the algorithm, and so on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness import TrainingWorkload, Worker
from harness.devices import compute_threads
from harness_skewscout.evaluation import evaluate
from harness_skewscout.exchange import Apart, Exchange, Together
from harness_skewscout.models import Models
from harness_skewscout.places import Indices, Place

if TYPE_CHECKING:
    from harness_skewscout.parallelizers import Decentralized


def learn(way: Decentralized, worker: Worker) -> None:
    """One worker's part: that of all partitions, or of its own one."""
    job, workload = worker.job, worker.job.workload
    data = tuple(tensor.to(worker.torch_device) for tensor in workload.train_set())
    exchange: Exchange = Together(worker.trace, workload.partitions) if way.vectorised else Apart(worker)
    parts = workload.partition(job.seed)
    if exchange.rows[0] == 0:
        worker.trace.fact("labels", {"counts": label_counts(data[1], parts)})
    places = places_of(workload, job.seed, parts, exchange.rows)
    models = Models(workload, job.seed, len(exchange.rows), worker.torch_device)
    rule = way.rule(workload, exchange, models.sizes)
    rule.start(models.weights)
    controller = way.controller(rule, job.rng(3))
    per_epoch = len(data[1]) / workload.batch_size
    pace = max(1, round(per_epoch / workload.evaluations))
    last = job.budget.last_step(per_epoch)
    step, over = 0, False
    while not over:
        with worker.work("step", way.step_cost, step=step):
            chosen = torch.stack([torch.from_numpy(place.minibatch()) for place in places]).to(worker.torch_device)
            gradients, _ = models.gradients(data[0][chosen], data[1][chosen])
            rule.update(models.weights, gradients, step)
            if way.statistics == "averaged" and rule.exchanges(step):
                average_statistics(models, exchange)
        worker.trace.count("samples", chosen.numel())
        step += 1
        if controller is not None and controller.due(step):
            with worker.work("travel", controller.cost(way.step_cost, minibatch=chosen.shape[1]), step=step):
                loss = controller.travel(models, places, (data[0], data[1]))
            controller.adapt(loss, step, worker.trace)
        due = step % pace == 0 or step == last
        if due:
            evaluate(way, worker, models, exchange, places, data[0], step)
        # What one worker's clock or evaluation says, all have to be told; steps they count by themselves.
        if due or job.budget.seconds is not None:
            over = step == last or exchange.agreed(job.spent(epochs=step / per_epoch, steps=step))
    if not due:
        evaluate(way, worker, models, exchange, places, data[0], step)


def warm_up(workload: TrainingWorkload, *, rows: int) -> None:
    """Take the gradients of a first minibatch, and forget them."""
    inputs, targets = (tensor[: workload.batch_size // workload.partitions] for tensor in workload.train_set())
    with compute_threads(1):
        Models(workload, 0, rows).gradients(torch.stack([inputs] * rows), torch.stack([targets] * rows))


def label_counts(targets: torch.Tensor, parts: Sequence[Indices]) -> list[list[int]]:
    """How many samples of each label each partition holds."""
    labels = int(targets.max()) + 1
    return [torch.bincount(targets[torch.from_numpy(part)].flatten(), minlength=labels).tolist() for part in parts]


def places_of(workload: TrainingWorkload, seed: int, parts: Sequence[Indices], rows: Sequence[int]) -> list[Place]:
    """The places of some partitions; whoever holds them, a partition's minibatches are the same."""
    batch = workload.batch_size // workload.partitions
    streams = np.random.SeedSequence(seed, spawn_key=(2,)).spawn(len(parts))
    return [Place(parts[k], batch, np.random.default_rng(streams[k])) for k in rows]


def average_statistics(models: Models, exchange: Exchange) -> None:
    """Let every partition have the mean of the running statistics of batch normalization; counted."""
    for name in models.statistics():
        buffer = models.buffers[name]
        mean = exchange.total(buffer.flatten(1)) / exchange.partitions
        buffer.copy_(mean.view(buffer.shape[1:]))
