"""What a pipeline needs before it starts: a profile where one is needed, a plan, and what the plan's stages cost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import HarnessError, TraceWriter
from harness_pipedream.planning.explain import Explanation, explain
from harness_pipedream.planning.levels import Level
from harness_pipedream.planning.memory import MemoryLimit
from harness_pipedream.planning.plan import Plan, Stage
from harness_pipedream.planning.planner import Shape, plan
from harness_pipedream.profiling.profile import Layer, Profile
from harness_pipedream.profiling.published import PublishedProfile
from harness_pipedream.running.buckets import BUCKET_BYTES, buckets
from harness_pipedream.running.checkpoint import Checkpoints
from harness_pipedream.running.progress import epoch_of
from harness_pipedream.running.runtime import Setup, StageCost

if TYPE_CHECKING:
    from harness import Device, Job, Worker
    from harness_pipedream.parallelizers import PipelineParallelizer
    from harness_pipedream.planning.schedule import Schedule

CONFIG = re.compile(r"\d+(-\d+)*")


SHAPES: dict[str, Shape] = {"auto": "any", "straight": "straight", "data-parallel": "data-parallel"}


@dataclass(frozen=True)
class Prepared:
    """What ``prepare`` found out for ``run``."""

    plan: Plan
    setup: Setup


def prepare(method: PipelineParallelizer, job: Job[Any]) -> Prepared:
    """Profile and plan, as far as the plan given leaves anything open; record the fact ``plan``."""
    epoch_of(job)  # refuses what has none
    levels = levels_of(job.device, method.workers, method.bandwidth)
    profile = profile_of(method, job)
    with job.trace.span("plan"):
        chosen = plan_of(method, profile, levels)
    chosen.check(count_layers(job, profile), method.workers)
    found = explain(chosen, profile, levels, cost=method.cost) if profile else None
    schedule = replace(method.schedule(chosen, found.prediction if found else None), layout=chosen.ranks)
    job.trace.fact("plan", described(method, chosen, found, schedule))
    setup = Setup(
        tuple(stage.layers for stage in chosen.stages),
        schedule,
        recompute=method.recompute,
        scaling=getattr(method, "scaling", "constant"),
        costs=costs_of(chosen, profile, schedule.microbatches, recompute=method.recompute) if profile else None,
        checkpoints=checkpoints_of(method, job),
    )
    return Prepared(chosen, setup)


def plan_of(method: PipelineParallelizer, profile: Profile | None, levels: Sequence[Level]) -> Plan:
    """The plan that was given, or the best one for a profile."""
    if not isinstance(method.plan, str):
        return explicit(method)
    assert profile is not None
    if method.plan in SHAPES:
        limit = MemoryLimit(method.memory) if method.memory else None
        best = plan(profile, levels, cost=method.cost, shape=SHAPES[method.plan], memory=limit)
        return method.settled(best, profile, levels, limit)
    return divided(profile, replicas_of(method.plan), min(level.bytes_per_second for level in levels))


def explicit(method: PipelineParallelizer) -> Plan:
    """The plan that tables of stages spell out."""
    stages, done = [], 0
    for fields in method.plan:
        assert not isinstance(fields, str)
        layers = tuple(range(done, done + fields.layers)) if isinstance(fields.layers, int) else fields.layers
        stages.append(Stage(layers, fields.replicas))
        done += len(layers)
    return Plan(tuple(stages))


def described(
    method: PipelineParallelizer, chosen: Plan, found: Explanation | None = None, schedule: Schedule | None = None
) -> dict[str, Any]:
    """The fact ``plan``: the plan, and what it promises where a profile tells; the planner knows 1F1B alone."""
    if found is None or schedule is None or not method.predictable:
        return {"plan": chosen.to_json(), "config": str(chosen), "workers": chosen.workers, "noam": chosen.noam}
    held = [ahead + 1 for ahead in schedule.warmups]
    return {**found.to_json(), "depth": held[0], "paced_seconds": found.prediction.paced(held)}


def profile_of(method: PipelineParallelizer, job: Job[Any]) -> Profile | None:
    """The profile given, the workload's own, or one measured; none where an explicit plan needs none."""
    if method.profile:
        return Profile.read(Path(method.profile))
    if isinstance(job.workload, PublishedProfile):
        return job.workload.graph
    simulated = hasattr(job.device, "numerics")
    if not isinstance(method.plan, str) and not simulated and not method.needs_profile:
        return None
    # All workers at once, as they will run; a simulation's take turns, and one is enough.
    quiet = replace(job, trace=TraceWriter(clock=job.trace.clock))
    profile = quiet.launch(partial(measure, method.repeats), 1 if simulated else method.workers)[0]
    profile.write(job.folder / "profile.json")
    return profile


def measure(repeats: int, worker: Worker) -> Profile:
    """Profile the workload's model on each worker; the mean of what they took, the same for all."""
    import numpy as np

    from harness_pipedream.profiling.profiler import profile

    found = profile(worker.job.workload, torch_device=worker.torch_device, repeats=repeats)
    times = ("forward_seconds", "backward_seconds", "update_seconds")
    seconds = np.array([[getattr(layer, time) for time in times] for layer in found.layers])
    means = worker.comm.all_reduce(seconds, "mean").tolist()
    layers = (
        replace(layer, **dict(zip(times, mean, strict=True))) for layer, mean in zip(found.layers, means, strict=True)
    )
    return replace(found, layers=tuple(layers))


def count_layers(job: Job[Any], profile: Profile | None) -> int:
    """The layers of the workload's model, which a profile has to have too."""
    workload = job.workload
    if isinstance(workload, PublishedProfile):
        return len(workload.graph.layers)
    from harness_pipedream.models.layers import EXAMPLES, layer_graph

    count = len(layer_graph(workload.initial_model(job.seed), workload.train_set()[0][:EXAMPLES]).names)
    if profile and len(profile.layers) != count:
        raise HarnessError(f"the profile has {len(profile.layers)} layers, {workload.name} has {count}")
    return count


def checkpoints_of(method: PipelineParallelizer, job: Job[Any]) -> Checkpoints | None:
    """Where and when to keep checkpoints."""
    if method.checkpoint == "never":
        return None
    every = None if method.checkpoint == "epoch" else method.checkpoint
    return Checkpoints(Path(method.checkpoints) if method.checkpoints else job.folder / "checkpoints", every)


def levels_of(device: Device, workers: int, bytes_per_second: float) -> tuple[Level, ...]:
    """The levels that so many workers take up on a device; one, of the rate given, where it does not say."""
    links = getattr(device, "links", None)
    if links is None:
        return (Level(workers, bytes_per_second),)
    found = links().levels
    if workers > prod(level.workers for level in found):
        raise HarnessError(f"{workers} workers are more than the device's levels have room for")
    levels, left = list[Level](), workers
    for level in found:
        size = min(level.workers, left)
        if left % size:  # Some components are not filled: only one level describes all workers alike.
            return (Level(workers, min(level.bytes_per_second for level in found)),)
        levels.append(Level(size, level.bytes_per_second))
        left //= size
        if left == 1:
            break
    return tuple(levels)


def replicas_of(plan: str) -> tuple[int, ...]:
    """A configuration such as '2-1-1': the replicas of each stage."""
    counts = tuple(map(int, plan.split("-"))) if CONFIG.fullmatch(plan) else ()
    if not counts or 0 in counts:
        raise HarnessError(
            f"plan {plan!r}: write auto, straight, data-parallel, replicas by stage such as '2-1', or stages"
        )
    return counts


def divided(profile: Profile, replicas: Sequence[int], bytes_per_second: float) -> Plan:
    """The best plan with so many replicas by stage: cuts between layers that make its slowest part fastest.

    Parts are stages (computation, or averaging gradients round a ring, per minibatch) and boundaries.
    """
    layers, stages = profile.layers, len(replicas)
    if stages > len(layers):
        raise HarnessError(f"plan {'-'.join(map(str, replicas))} has {stages} stages for {len(layers)} layers")
    crossing = [sum(layers[a].activation_bytes for a in _live(profile, cut)) for cut in range(len(layers))]

    def seconds(start: int, end: int, stage: int) -> float:
        r = replicas[stage]
        computing = sum(layer.seconds for layer in layers[start:end])
        averaging = 2 * (r - 1) / r * sum(layer.parameter_bytes for layer in layers[start:end]) / bytes_per_second
        return max(max(computing, averaging) / r, 2 * crossing[start] / bytes_per_second)

    @cache
    def best(start: int, stage: int) -> tuple[float, tuple[int, ...]]:
        if stage == stages - 1:
            return seconds(start, len(layers), stage), (len(layers),)
        options = []
        for end in range(start + 1, len(layers) - (stages - stage - 1) + 1):
            rest, cuts = best(end, stage + 1)
            options.append((max(seconds(start, end, stage), rest), (end, *cuts)))
        return min(options)

    predicted, ends = best(0, 0)
    starts = (0, *ends[:-1])
    parts = (Stage(tuple(range(a, b)), r) for a, b, r in zip(starts, ends, replicas, strict=True))
    return Plan(tuple(parts), seconds=predicted)


def costs_of(plan: Plan, profile: Profile, microbatches: int, *, recompute: bool) -> tuple[StageCost, ...]:
    """What one unit costs in each stage, and what it hands on."""
    costs = []
    for index, stage in enumerate(plan.stages):
        layers = [profile.layers[layer] for layer in stage.layers]
        forward = sum(layer.forward_seconds for layer in layers)
        backward = sum(layer.backward_seconds for layer in layers) + (forward if recompute else 0.0)
        done = {layer for before in plan.stages[: index + 1] for layer in before.layers}
        live = sorted({a for a, b in profile.edges if a in done and b not in done})
        costs.append(
            StageCost(
                forward / microbatches,
                backward / microbatches,
                sum(layer.update_seconds for layer in layers),
                tuple(profile.layers[layer].activation_bytes // microbatches for layer in live),
                sum(layer.parameter_bytes for layer in layers),
                gradients_of(layers, microbatches),
            )
        )
    return tuple(costs)


def gradients_of(layers: Sequence[Layer], microbatches: int) -> tuple[tuple[int, float], ...]:
    """The buckets of a stage's gradients, from the last layer on, and how long before a backward's end each is full."""
    found, left = [], sum(layer.backward_seconds for layer in layers)
    for bucket in buckets([layer.parameter_bytes for layer in layers], BUCKET_BYTES):
        left -= sum(layers[index].backward_seconds for index in bucket)
        found.append((sum(layers[index].parameter_bytes for index in bucket), max(left, 0.0) / microbatches))
    return tuple((size, ago) for size, ago in found if size)


def _live(profile: Profile, cut: int) -> list[int]:
    """The layers before a cut whose outputs are needed behind it."""
    return sorted({a for a, b in profile.edges if a < cut <= b})
