"""Measuring a profile: what each layer of a workload's model takes, by itself, on the device at hand.

Each layer runs on the inputs that it has in the model, cut off from the layers before (PipeDream, SOSP
2019, section 3.1: computation time, output size and parameter size of each layer for one minibatch).
A run goes through the model as training does, first all forwards, then all backwards and all updates, so
that each layer meets caches as cold as in training. The last layer has the loss with it, as the last stage has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import cast

import numpy as np
import torch

from harness import HarnessError, TrainingWorkload
from harness_pipedream.models.layers import BUILDING, LayerGraph, carries_gradient, layer_graph
from harness_pipedream.profiling.profile import Layer, Profile

Loss = Callable[[torch.Tensor], torch.Tensor]
Optimizer = Callable[[torch.nn.Module], torch.optim.Optimizer]


def profile(
    workload: TrainingWorkload, *, torch_device: str = "cpu", repeats: int = 10, warmup: int = 2, seed: int = 0
) -> Profile:
    """Measure a prepared workload's model on minibatches of its own size, the medians of ``repeats`` runs.

    Raises:
        HarnessError: where the model cannot be divided into layers, or the data do not fill a minibatch.
    """
    if repeats < 1:
        raise HarnessError(f"repeats must be at least 1, not {repeats}")
    inputs, targets = (tensor[: workload.batch_size].to(torch_device) for tensor in workload.train_set())
    if len(targets) < workload.batch_size:
        raise HarnessError(
            f"{workload.name} has {len(targets)} samples, fewer than a minibatch of {workload.batch_size}"
        )
    with BUILDING:
        graph = layer_graph(workload.initial_model(seed, torch_device), inputs)
    probes = _probes(graph, inputs, workload.optimizer, lambda output: workload.loss(output, targets))
    clock = _Clock(torch_device)
    runs = [_run(probes, clock) for _ in range(warmup + repeats)][warmup:]
    layers = (
        Layer(name, forward, backward, probe.output_bytes, probe.parameter_bytes, update)
        for name, probe, (forward, backward, update) in zip(
            graph.names, probes, np.median(runs, axis=0).tolist(), strict=True
        )
    )
    return Profile(tuple(layers), graph.edges, len(targets))


@dataclass(frozen=True)
class _Clock:
    torch_device: str

    def seconds(self, work: Callable[[], object]) -> float:
        """Seconds of some work, an accelerator being done with it."""
        start = self._now()
        work()
        return self._now() - start

    def _now(self) -> float:
        if torch.device(self.torch_device).type == "cuda":
            torch.cuda.synchronize(self.torch_device)
        return perf_counter()


class _Probe:
    """One layer, cut off from the others, to be run again and again; its weights stay as they are."""

    def __init__(
        self,
        part: torch.nn.Module,
        taken: Sequence[torch.Tensor],
        own: Sequence[torch.nn.Parameter],
        optimizer: Optimizer,
        loss: Loss | None,
    ) -> None:
        self._part, self._taken, self._loss = part, taken, loss
        self._wanted = [tensor for tensor in (*taken, *part.parameters()) if tensor.requires_grad]
        self.value = self.forward().detach()
        self._seed = torch.ones_like(self._output)
        self.differentiable = self._output.requires_grad
        self.output_bytes = self.value.nbytes
        self.parameter_bytes = sum(parameter.nbytes for parameter in own)
        self.optimizer = optimizer(part) if own else None
        for parameter in own:
            parameter.grad = torch.zeros_like(parameter)  # With these a step takes its time, and changes nothing.

    def forward(self) -> torch.Tensor:
        """Compute the layer's output, and from it the loss where the layer is the last one."""
        (output,) = self._part(*self._taken)
        self._output = self._loss(output) if self._loss else output
        return cast("torch.Tensor", output)

    def backward(self) -> None:
        """Compute the gradients of inputs and parameters."""
        torch.autograd.grad(self._output, self._wanted, self._seed, allow_unused=True)


def _probes(graph: LayerGraph, inputs: torch.Tensor, optimizer: Optimizer, loss: Loss) -> list[_Probe]:
    """Every layer with what the layers before it gave; parameters that are tied are the first one's."""
    values = {-1: inputs}
    counted: set[int] = set()
    probes = []
    for index in range(len(graph.names)):
        taken = [_leaf(values[origin], origin) for origin in graph.reads[index]]
        part = graph.layer(index)
        own = [parameter for parameter in part.parameters() if id(parameter) not in counted]
        counted.update(map(id, own))
        probes.append(_Probe(part, taken, own, optimizer, loss if index == graph.output else None))
        values[index] = probes[-1].value
    return probes


def _run(probes: Sequence[_Probe], clock: _Clock) -> list[tuple[float, float, float]]:
    """Seconds of each layer's forward, of its backward and of its update, in the order of training."""
    forwards = [clock.seconds(probe.forward) for probe in probes]
    backwards = [clock.seconds(probe.backward) if probe.differentiable else 0.0 for probe in reversed(probes)]
    updates = [clock.seconds(probe.optimizer.step) if probe.optimizer else 0.0 for probe in probes]
    return list(zip(forwards, reversed(backwards), updates, strict=True))


def _leaf(value: torch.Tensor, origin: int) -> torch.Tensor:
    """A tensor cut off from what it was computed from, wanting a gradient where training wants one."""
    return value.detach().requires_grad_(carries_gradient(value, origin))
