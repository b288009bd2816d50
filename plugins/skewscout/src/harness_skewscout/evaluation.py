"""How good the partitions' models are, each on the whole test set, and how far apart what they see is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from harness import Worker

if TYPE_CHECKING:
    from harness_skewscout.exchange import Exchange
    from harness_skewscout.models import Models
    from harness_skewscout.parallelizers import Decentralized
    from harness_skewscout.places import Place

RECOMPUTED_BATCHES = 20


def evaluate(
    way: Decentralized,
    worker: Worker,
    models: Models,
    exchange: Exchange,
    places: Sequence[Place],
    inputs: torch.Tensor,
    step: int,
) -> None:
    """Record ``accuracy`` and ``loss``, means over the partitions' own models, and those of the averaged model.

    The reported accuracy is the mean of the own models' (Hsieh et al., ICML 2020, section 3); under label skew the
    averaged model can be far better. ``inputs`` are the training set's, on the worker's device.
    ``normalization_divergence`` is recorded where layers normalize.
    """
    workload, device = worker.job.workload, worker.torch_device
    with worker.trace.span("evaluate", step=step):
        if way.statistics == "recomputed":
            for row, place in enumerate(places):
                drawn = place.sample(RECOMPUTED_BATCHES * workload.batch_size // exchange.partitions)
                batches = torch.split(torch.from_numpy(drawn), workload.batch_size // exchange.partitions)
                models.refresh(row, [inputs[batch] for batch in batches if len(batch) > 1])
        # After an average, and under rules that keep models the same, one speaks for all.
        rows = len(exchange.rows)
        distinct = 1 if models.alike() else rows
        own = []
        for row in range(distinct):
            with models.loaded(models.weights[row], row) as model:
                own += [workload.scores(model, device)] * (rows // distinct)
        loss, accuracy = exchange.gather(torch.tensor(own, dtype=torch.float64)).mean(0).tolist()
        mean = exchange.sum(models.weights) / exchange.partitions
        divergence = normalization_divergence(models, exchange, places, inputs)
        if exchange.rows[0] == 0:
            with models.loaded(mean, 0) as model:
                averaged = workload.scores(model, device)
            worker.trace.value("loss", loss, step=step)
            worker.trace.value("accuracy", accuracy, step=step)
            worker.trace.value("accuracy_of_mean", averaged[1], step=step)
            if divergence is not None:
                worker.trace.value("normalization_divergence", divergence, step=step)


def normalization_divergence(
    models: Models, exchange: Exchange, places: Sequence[Place], inputs: torch.Tensor
) -> float | None:
    """How far apart two partitions' minibatch means are where the first layer normalizes, relative to their mean.

    ||mu_0 - mu_1|| / ||(mu_0 + mu_1) / 2|| over channels (section 4.1), the mean over all pairs.
    """
    seen = []
    for row, place in enumerate(places):
        with models.loaded(models.weights[row], row) as model, torch.no_grad(), _first_input(model) as caught:
            model(inputs[torch.from_numpy(place.sample(100))])
        if not caught:
            return None
        (batch,) = caught
        seen.append(batch.transpose(0, 1).flatten(1).mean(1))
    means = exchange.gather(torch.stack(seen))
    pairs = torch.combinations(torch.arange(len(means)))
    if not len(pairs):
        return None
    one, other = means[pairs[:, 0]], means[pairs[:, 1]]
    return float(((one - other).norm(dim=1) / ((one + other) / 2).norm(dim=1)).mean())


@contextmanager
def _first_input(model: torch.nn.Module) -> Iterator[list[torch.Tensor]]:
    """Catch what the first normalizing layer takes in."""
    kinds = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.GroupNorm, torch.nn.LayerNorm)
    first = next((part for part in model.modules() if isinstance(part, kinds)), None)
    caught: list[torch.Tensor] = []
    if first is None:
        yield caught
        return
    hook = first.register_forward_pre_hook(lambda module, inputs: caught.append(inputs[0]))
    try:
        yield caught
    finally:
        hook.remove()
