"""The delayed update in one process, written from its equation: w(t+1) = w(t) - rate * grad f(w_1(...), ..., w_n(...)).

Minibatch b meets in stage s, of r_s replicas, the version max(0, floor(b / r_s) - warm-up_s); a version is
one step of momentum SGD with the gradients of r_s minibatches averaged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

Weights = dict[str, torch.Tensor]


def warm_ups(replicas: Sequence[int]) -> list[int]:
    return [(sum(replicas) - 1 - sum(replicas[:s])) // r for s, r in enumerate(replicas)]


def versions(b: int, replicas: Sequence[int], warm: Sequence[int], *, vertical: bool) -> list[int]:
    if vertical:
        tag = max(0, b // replicas[0] - warm[0])
        return [tag * replicas[0] // r for r in replicas]
    return [max(0, b // r - w) for r, w in zip(replicas, warm, strict=True)]


def train(
    workload: Any,
    stages: Sequence[Sequence[str]],
    replicas: Sequence[int],
    batches: Sequence[Any],
    *,
    seed: int,
    vertical: bool = False,
    warm: Sequence[int] = (),
    factors: Sequence[float] = (),
) -> Iterator[Weights]:
    """Yield the newest weights after each minibatch; ``stages`` name the parameters of each stage."""
    model: nn.Module = workload.initial_model(seed)
    inputs, targets = workload.train_set()
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    history = [[{name: start[name] for name in names}] for names in stages]
    velocity = {name: torch.zeros_like(p) for name, p in start.items()}
    sums = {name: torch.zeros_like(p) for name, p in start.items()}
    for b, batch in enumerate(batches):
        met = [
            kept[v]
            for kept, v in zip(
                history, versions(b, replicas, warm or warm_ups(replicas), vertical=vertical), strict=True
            )
        ]
        weights = {name: w.clone().requires_grad_() for stage in met for name, w in stage.items()}
        chosen = torch.from_numpy(batch)
        loss = workload.loss(torch.func.functional_call(model, weights, (inputs[chosen],)), targets[chosen])
        for name, gradient in zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True):
            sums[name] += gradient
        for s, (names, r) in enumerate(zip(stages, replicas, strict=True)):
            averaged = b % r + 1
            if averaged < r and b + 1 < len(batches):
                continue
            rate, newest = workload.rate * (factors[s] if factors else 1.0), dict(history[s][-1])
            rate /= 10 ** len([drop for drop in workload.rate_drops if drop <= b])
            for name in names:
                gradient = sums[name] / averaged + workload.weight_decay * newest[name]
                velocity[name] = workload.momentum * velocity[name] + gradient
                newest[name] = newest[name] - rate * velocity[name]
                sums[name].zero_()
            history[s].append(newest)
        yield {name: w for kept in history for name, w in kept[-1].items()}


def held_out_loss(workload: Any, weights: Weights) -> float:
    inputs, targets = workload.test_set()
    with torch.no_grad():
        return float(workload.loss(torch.func.functional_call(workload.initial_model(0), weights, (inputs,)), targets))
