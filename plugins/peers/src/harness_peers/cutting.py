"""A model cut into stages, each of which takes one tensor and gives one, as torch's schedules want them."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from harness import HarnessError
from harness_pipedream.models.layers import LayerGraph, Part, layer_graph
from harness_pipedream.parallelizers import GPipe
from harness_pipedream.running.preparing import described, levels_of, plan_of, profile_of

if TYPE_CHECKING:
    from torch import nn

    from harness import Job, TrainingWorkload
    from harness_peers.pipelining import TorchPipeline

Layers = tuple[tuple[int, ...], ...]


class Stages(NamedTuple):
    """A model, its parts by stage, and what a microbatch is on the way: before each stage, and after the last.

    The tensors are on the meta device: shape, type and whether a gradient comes back.
    """

    model: nn.Module
    parts: list[Part]
    tensors: list[torch.Tensor]


def cut(method: TorchPipeline, job: Job[Any]) -> Layers:
    """Choose each stage's layers, where PipeDream's planner would cut for GPipe; record the fact ``plan``."""
    even = "-".join(["1"] * method.stages)
    like = GPipe(
        workers=method.workers,
        microbatches=method.microbatches,
        plan=even if method.plan == "straight" else method.plan,
        profile=method.profile,
        repeats=method.repeats,
        bandwidth=method.bandwidth,
    )
    profile = profile_of(like, job)
    levels = levels_of(job.device, method.workers, method.bandwidth)
    with job.trace.span("plan"):
        plan = plan_of(like, profile, levels)
    job.trace.fact("plan", {**described(like, plan), "workers": method.workers})
    layers = tuple(stage.layers for stage in plan.stages)
    graph = _graph(job.workload, job.seed, method.microbatches, "cpu")[1]
    plan.check(len(graph.names), method.stages)
    _check_skips(graph, layers)
    return layers


def build(method: TorchPipeline, job: Job[Any], layers: Layers, device: str) -> Stages:
    """The model with its initial weights, in parts that share them with it."""
    model, graph = _graph(job.workload, job.seed, method.microbatches, device)
    parts = [graph.part(stage, before) for stage, before in zip(layers, _done(layers), strict=False)]
    tensors, learns = [_hollow(graph.tensors[-1], learns=False)], False
    for part in parts:
        learns = learns or any(parameter.requires_grad for parameter in part.parameters())
        tensors.append(_hollow(graph.tensors[part.outputs[0]], learns=learns))
    return Stages(model, parts, tensors)


def _graph(workload: TrainingWorkload, seed: int, microbatches: int, device: str) -> tuple[nn.Module, LayerGraph]:
    model = workload.initial_model(seed, device)
    microbatch = workload.train_set()[0][: workload.batch_size // microbatches]
    return model, layer_graph(model, microbatch.to(device))


def _done(layers: Layers) -> list[list[int]]:
    """The layers done before each stage, and after the last."""
    return [list(chain(*layers[:stage])) for stage in range(len(layers) + 1)]


def _check_skips(graph: LayerGraph, layers: Layers) -> None:
    """Refuse cuts that more than one tensor crosses."""
    for stage, done in enumerate(_done(layers)[1:-1]):
        crossing = graph.live(done)
        if len(crossing) > 1:
            names = " and ".join(_name(graph, number) for number in crossing)
            raise HarnessError(
                f"torch's schedules hand one tensor from stage to stage: after stage {stage}, {names} are needed; "
                "cut where no connection skips a stage"
            )


def _name(graph: LayerGraph, number: int) -> str:
    return "the input" if number < 0 else repr(graph.names[number])


def _hollow(tensor: torch.Tensor, *, learns: bool) -> torch.Tensor:
    learns = learns and tensor.is_floating_point()
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta", requires_grad=learns)
