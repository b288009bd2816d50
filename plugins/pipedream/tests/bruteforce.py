"""A second planner that enumerates every plan, and the costs written out as formulas."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from math import inf

import numpy as np

from harness_pipedream.profiling.profile import Layer, Profile


def stage_seconds(cost: str, compute: float, parameters: float, m: int, rate: float) -> float:
    if cost == "ring":
        return max(compute, 2 * (m - 1) * parameters / (m * rate)) / m
    if cost == "paper":
        return max(compute, 2 * (m - 1) * parameters / rate) / m
    return (compute + 4 * (m - 1) * parameters / (m * rate)) / m


def transfer_seconds(cost: str, size: float, m: int, rate: float) -> float:
    return 2 * size / (m * rate) if cost == "release" else 2 * size / rate


def live(profile: Profile, done: frozenset[int]) -> int:
    needed = {a for a, b in profile.edges if a in done and b not in done}
    return sum(profile.layers[a].activation_bytes for a in needed)


def partitions(profile: Profile, done: frozenset[int] = frozenset()) -> Iterator[list[frozenset[int]]]:
    """Every way to cut the graph into stages, none of which needs a later one."""
    rest = sorted(set(range(len(profile.layers))) - done)
    if not rest:
        yield []
    for size in range(1, len(rest) + 1):
        for chosen in combinations(rest, size):
            stage = frozenset(chosen)
            if all(a in done | stage for a, b in profile.edges if b in stage):
                for later in partitions(profile, done | stage):
                    yield [stage, *later]


def compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (total,)
        return
    for first in range(1, total - parts + 2):
        for rest in compositions(total - first, parts - 1):
            yield (first, *rest)


def plan_seconds(
    profile: Profile, cost: str, rate: float, stages: list[frozenset[int]], replicas: tuple[int, ...]
) -> float:
    """Seconds per minibatch of the slowest stage or boundary of a plan on one level."""
    times, done = [], frozenset[int]()
    for index, (stage, m) in enumerate(zip(stages, replicas, strict=True)):
        layers = [profile.layers[i] for i in stage]
        compute = sum(layer.forward_seconds + layer.backward_seconds for layer in layers)
        times.append(stage_seconds(cost, compute, sum(layer.parameter_bytes for layer in layers), m, rate))
        if index:
            times.append(transfer_seconds(cost, live(profile, done), m, rate))
        done |= stage
        if index and cost == "release":
            times.append(transfer_seconds(cost, live(profile, done), m, rate))
    return max(times)


def stage_memory(profile: Profile, stages: list[frozenset[int]], replicas: tuple[int, ...], copies: int) -> list[float]:
    """Bytes of each stage's worker: versions and activations in flight, gradients, optimizer state."""
    found, done, before = [], frozenset[int](), 0
    for stage, m in zip(stages, replicas, strict=True):
        held = (sum(replicas) - 1 - before) // m + 1
        weights = sum(profile.layers[i].parameter_bytes for i in stage)
        activations = sum(profile.layers[i].activation_bytes for i in stage) + live(profile, done)
        found.append(held * (weights + activations) + weights + copies * weights)
        done |= stage
        before += m
    return found


def best_seconds(
    profile: Profile,
    workers: int,
    rate: float,
    cost: str,
    *,
    straight: bool = False,
    memory: float = inf,
    copies: int = 1,
) -> float:
    """The least seconds per minibatch of all plans that use every worker; inf where none fits."""
    best = inf
    for stages in partitions(profile):
        if len(stages) > workers:
            continue
        for replicas in compositions(workers, len(stages)):
            if straight and max(replicas) > 1:
                continue
            if max(stage_memory(profile, stages, replicas, copies)) <= memory:
                best = min(best, plan_seconds(profile, cost, rate, stages, replicas))
    return best


def best_on_two_levels(profile: Profile, inner: tuple[int, float], outer: tuple[int, float], cost: str) -> float:
    """The least seconds of plans of plans, for a chain: servers make stages, and workers within a server do."""
    (m1, rate1), (m2, rate2) = inner, outer
    layers = profile.layers

    def cuts(first: int, last: int, parts: int) -> Iterator[list[tuple[int, int]]]:
        for chosen in combinations(range(first + 1, last), parts - 1):
            ends = [first, *chosen, last]
            yield list(pairwise(ends))

    def within(first: int, last: int, m: int, rate: float, inside: int) -> float:
        best = inf
        for parts in range(1, min(m, last - first) + 1):
            for spans in cuts(first, last, parts):
                for replicas in compositions(m, parts):
                    times = []
                    for index, ((a, b), r) in enumerate(zip(spans, replicas, strict=True)):
                        compute = within(a, b, m1, rate1, 1) if inside > 1 else sum(x.seconds for x in layers[a:b])
                        averaged = sum(x.parameter_bytes for x in layers[a:b])
                        if cost == "release" and index == 0:
                            averaged /= inside
                        times.append(stage_seconds(cost, compute, averaged, r, rate))
                        if index:
                            times.append(transfer_seconds(cost, layers[a - 1].activation_bytes, r, rate))
                        if index and cost == "release" and b < len(layers):
                            times.append(transfer_seconds(cost, layers[b - 1].activation_bytes, r, rate))
                    best = min(best, max(times))
        return best

    return within(0, len(layers), m2, rate2, m1)


def random_profile(rng: np.random.Generator, layers: int, *, chain: bool = False) -> Profile:
    """Layers as uneven as real ones, some of them free, in a chain or a random graph."""
    made = tuple(
        Layer(
            name=f"layer{i}",
            forward_seconds=float(rng.choice([0, rng.random()])),
            backward_seconds=float(rng.random() * rng.choice([0.1, 1])),
            activation_bytes=int(rng.integers(0, 1000)),
            parameter_bytes=int(rng.choice([0, rng.integers(0, 3000)])),
        )
        for i in range(layers)
    )
    if chain:
        return Profile.chain(made)
    pairs = [(a, b) for b in range(layers) for a in range(b)]
    likely = rng.random()
    return Profile(made, tuple(pair for pair in pairs if rng.random() < likely))
