"""A plan: which layers make a stage, how many workers replicate it, and which ranks those are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from harness import HarnessError


@dataclass(frozen=True)
class Stage:
    """Layers, as indices into the graph's topological order, that ``replicas`` workers run alike."""

    layers: tuple[int, ...]
    replicas: int = 1


@dataclass(frozen=True)
class Group:
    """The next ``stages`` stages lie together on one machine (or rack), and ``replicas`` machines do the same."""

    stages: int
    replicas: int


@dataclass(frozen=True)
class Plan:
    """Stages from input to output.

    ``groups`` has, for each level of machines above the lowest, groups that take up all stages in turn;
    without it, ranks are handed out stage by stage. ``seconds`` is the predicted time per minibatch
    once the pipeline is full, where a planner made the plan.
    """

    stages: tuple[Stage, ...]
    groups: tuple[tuple[Group, ...], ...] = ()
    seconds: float | None = None

    @property
    def workers(self) -> int:
        """Workers that the plan uses."""
        return sum(stage.replicas for stage in self.stages)

    @property
    def noam(self) -> int:
        """Minibatches in flight, per replica of the input stage: ceil(workers / its replicas) (SOSP 2019, sec. 3.2)."""
        return -(-self.workers // self.stages[0].replicas)

    @property
    def in_flight(self) -> tuple[int, ...]:
        """Per stage, how many minibatches a replica holds at most."""
        before = 0
        held = []
        for stage in self.stages:
            held.append(in_flight(self.workers, before, stage.replicas))
            before += stage.replicas
        return tuple(held)

    @property
    def replicas_by_level(self) -> tuple[tuple[int, ...], ...]:
        """Per stage, its replicas within one lowest component, then on each level above: their product is all."""
        above = [[group.replicas for group in groups for _ in range(group.stages)] for groups in self.groups]
        outer = [tuple(counts[i] for counts in above) for i in range(len(self.stages))]
        return tuple((stage.replicas // prod(o), *o) for stage, o in zip(self.stages, outer, strict=True))

    @property
    def ranks(self) -> tuple[tuple[int, ...], ...]:
        """Per stage, the ranks of its replicas."""
        placed = [[list(range(counts[0]))] for counts in self.replicas_by_level]
        for groups in self.groups:
            units = iter(placed)
            placed = [_repeat(_side_by_side(units, group.stages), group.replicas) for group in groups]
        return tuple(map(tuple, _side_by_side(iter(placed), len(self.stages))))

    def __str__(self) -> str:
        return "-".join(str(stage.replicas) for stage in self.stages)

    @property
    def kind(self) -> str:
        """What the literature calls such a plan."""
        if len(self.stages) == 1:
            return "data parallel" if self.workers > 1 else "one worker"
        return "straight pipeline" if self.workers == len(self.stages) else "replicated pipeline"

    def check(self, layers: int, workers: int) -> None:
        """Refuse a plan that does not fit a model of this many layers on this many workers."""
        if not self.stages:
            raise HarnessError("a plan needs at least one stage")
        if len(self.stages) > min(layers, workers):
            what = f"{layers} layers" if len(self.stages) > layers else f"{workers} workers"
            raise HarnessError(f"plan {self} has {len(self.stages)} stages for {what}")
        for index, stage in enumerate(self.stages):
            if not stage.layers or stage.replicas < 1:
                raise HarnessError(f"stage {index} of plan {self} needs at least one layer and one replica")
        if self.workers != workers:
            raise HarnessError(f"plan {self} is for {self.workers} workers, not {workers}")
        self._check_layers(layers)
        self._check_groups()

    def _check_layers(self, layers: int) -> None:
        counts = Counter(layer for stage in self.stages for layer in stage.layers)
        for trouble, found in (
            ("leaves out", [layer for layer in range(layers) if layer not in counts]),
            ("repeats", [layer for layer, count in counts.items() if count > 1]),
            (f"names, of a model with {layers} layers,", [layer for layer in counts if not 0 <= layer < layers]),
        ):
            if found:
                raise HarnessError(f"plan {self} {trouble} layer {', '.join(map(str, sorted(found)[:5]))}")

    def _check_groups(self) -> None:
        for level, groups in enumerate(self.groups, start=2):
            if sum(group.stages for group in groups) != len(self.stages):
                raise HarnessError(f"the groups of level {level} must take up the plan's {len(self.stages)} stages")
        for stage, counts in zip(self.stages, self.replicas_by_level, strict=True):
            if prod(counts) != stage.replicas:
                raise HarnessError(f"{stage.replicas} replicas cannot lie on {prod(counts[1:])} machines alike")

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON."""
        return {
            "stages": [{"layers": list(stage.layers), "replicas": stage.replicas} for stage in self.stages],
            "groups": [[{"stages": g.stages, "replicas": g.replicas} for g in groups] for groups in self.groups],
            "seconds": self.seconds,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any], *, where: str = "plan") -> Plan:
        """Read what ``to_json`` gave; ``groups`` and ``seconds`` may be missing."""
        try:
            return cls(
                stages=tuple(Stage(tuple(map(int, s["layers"])), int(s.get("replicas", 1))) for s in found["stages"]),
                groups=tuple(
                    tuple(Group(int(g["stages"]), int(g["replicas"])) for g in groups)
                    for groups in found.get("groups", ())
                ),
                seconds=None if found.get("seconds") is None else float(found["seconds"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            form = '{"stages": [{"layers": [0, 1], "replicas": 2}, ...]}'
            raise HarnessError(f"no plan; write {form}", where=where) from error

    @classmethod
    def parse(cls, text: str, *, where: str = "plan") -> Plan:
        """Read a plan from JSON text."""
        try:
            found = json.loads(text)
        except ValueError as error:
            raise HarnessError(f"no JSON: {error}", where=where) from error
        return cls.from_json(found, where=where)


def in_flight(workers: int, before: int, replicas: int) -> int:
    """Minibatches that a replica of a stage holds at most under 1F1B: its warm-up forwards, and one.

    ``before`` counts the workers of earlier stages; a stage starts as many minibatches as its own and
    later workers keep busy.
    """
    return (workers - 1 - before) // replicas + 1


def _side_by_side(units: Iterable[list[list[int]]], stages: int) -> list[list[int]]:
    """Lay units next to each other until they hold this many stages."""
    placed: list[list[int]] = []
    start = 0
    for unit in units:
        placed.extend([start + rank for rank in ranks] for ranks in unit)
        start += sum(map(len, unit))
        if len(placed) >= stages:
            break
    return placed


def _repeat(unit: list[list[int]], times: int) -> list[list[int]]:
    size = sum(map(len, unit))
    return [[copy * size + rank for copy in range(times) for rank in ranks] for ranks in unit]
