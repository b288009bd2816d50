"""Measuring a profile: what each layer of a workload's model takes, by itself, on the device at hand.

Each layer runs forward and backward on the inputs that it has in the model, cut off from the layers
before (PipeDream, SOSP 2019, section 3.1: computation time, output size and parameter size of each
layer for one minibatch). The model's last layer has the loss with it, as the last stage has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import torch

from harness import HarnessError, TrainingWorkload
from harness_pipedream.layers import LayerGraph, layer_graph
from harness_pipedream.profile import Layer, Profile
from harness_pipedream.stage import carries_gradient
from harness_pipedream.training import BUILDING


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
    clock = _Clock(torch_device, repeats, warmup)
    return Profile(
        _layers(graph, inputs, lambda output: workload.loss(output, targets), clock), graph.edges, len(targets)
    )


@dataclass(frozen=True)
class _Clock:
    torch_device: str
    repeats: int
    warmup: int

    def now(self) -> float:
        """Seconds, an accelerator being done with what it was given."""
        if torch.device(self.torch_device).type == "cuda":
            torch.cuda.synchronize(self.torch_device)
        return perf_counter()

    def medians(
        self, forward: Callable[[], torch.Tensor], backward: Callable[[torch.Tensor], object]
    ) -> tuple[float, float]:
        """Seconds of a forward and of its backward, first runs left out."""
        pairs = []
        for _ in range(self.warmup + self.repeats):
            start = self.now()
            output = forward()
            middle = self.now()
            if output.requires_grad:
                backward(output)
                pairs.append((middle - start, self.now() - middle))
            else:
                pairs.append((middle - start, 0.0))
        forwards, backwards = zip(*pairs[self.warmup :], strict=True)
        return median(forwards), median(backwards)


def _layers(
    graph: LayerGraph, inputs: torch.Tensor, loss: Callable[[torch.Tensor], torch.Tensor], clock: _Clock
) -> tuple[Layer, ...]:
    """Measure layer by layer, each fed what the layers before it gave."""
    values = {-1: inputs}
    counted: set[int] = set()
    layers = []
    for index, name in enumerate(graph.names):
        taken = [_leaf(values[origin], origin) for origin in graph.reads[index]]
        part = graph.layer(index)
        final = loss if index == graph.output else None
        seconds = _seconds(part, taken, final, clock)
        with torch.no_grad():
            (values[index],) = part(*taken)
        own = [parameter for parameter in part.parameters() if id(parameter) not in counted]
        counted.update(map(id, own))
        layers.append(Layer(name, *seconds, values[index].nbytes, sum(parameter.nbytes for parameter in own)))
        values = {origin: values[origin] for origin in graph.live(range(index + 1))}
    return tuple(layers)


def _seconds(
    part: torch.nn.Module,
    taken: Sequence[torch.Tensor],
    loss: Callable[[torch.Tensor], torch.Tensor] | None,
    clock: _Clock,
) -> tuple[float, float]:
    """Seconds of a layer's forward, and of the gradients of its inputs and parameters."""
    wanted = [tensor for tensor in (*taken, *part.parameters()) if tensor.requires_grad]
    seeds: dict[torch.Size, torch.Tensor] = {}

    def forward() -> torch.Tensor:
        (output,) = part(*taken)
        return loss(output) if loss else output

    def backward(output: torch.Tensor) -> object:
        seed = seeds.setdefault(output.shape, torch.ones_like(output))
        return torch.autograd.grad(output, wanted, seed, allow_unused=True)

    return clock.medians(forward, backward)


def _leaf(value: torch.Tensor, origin: int) -> torch.Tensor:
    """A tensor cut off from what it was computed from, wanting a gradient where training wants one."""
    return value.detach().requires_grad_(carries_gradient(value, origin))
