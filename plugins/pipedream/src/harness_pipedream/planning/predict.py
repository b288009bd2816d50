"""What a plan costs, worked out stage by stage: the planner's objective, for any plan and not only the best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod

from harness import HarnessError
from harness_pipedream.planning.costs import Cost
from harness_pipedream.planning.levels import Level, flat, total
from harness_pipedream.planning.memory import stage_bytes
from harness_pipedream.planning.plan import Group, Plan, Stage
from harness_pipedream.profiling.profile import Profile


@dataclass(frozen=True)
class StagePrediction:
    """One stage, per minibatch and in the steady state.

    ``sync_seconds`` is averaging gradients among its replicas, ``input_seconds`` the boundary before it,
    ``seconds`` what they make together. ``input_bytes`` come in, and as many bytes of gradients go back.
    One minibatch by itself takes ``pass_seconds`` forward and backward, ``update_seconds`` after that, and
    ``link_seconds`` on its way over the boundary and back.
    """

    stage: Stage
    pass_seconds: float
    update_seconds: float
    link_seconds: float
    sync_seconds: float
    input_seconds: float
    seconds: float
    parameter_bytes: int
    input_bytes: int
    in_flight: int
    memory_bytes: int

    @property
    def compute_seconds(self) -> float:
        """What computing comes to, shared by the replicas."""
        return (self.pass_seconds + self.update_seconds) / self.stage.replicas

    @property
    def sync_bytes(self) -> float:
        """Bytes that a ring moves to average the gradients, per minibatch."""
        return 2 * (self.stage.replicas - 1) / self.stage.replicas * self.parameter_bytes


@dataclass(frozen=True)
class Prediction:
    """A plan's stages; ``seconds`` per minibatch are those of the slowest stage or boundary."""

    plan: Plan
    stages: tuple[StagePrediction, ...]

    @property
    def seconds(self) -> float:
        """Seconds per minibatch once the pipeline is full."""
        return max(stage.seconds for stage in self.stages)

    def paced(self, held: Sequence[int]) -> float:
        """Seconds per minibatch where a replica of each stage holds so many minibatches at most.

        From a stage's forward to the update after its backward, a minibatch passes all later stages and comes
        back; with few in flight that, shared by them, is longer than the slowest stage.
        """
        slowest, behind = self.seconds, 0.0
        for stage, most in zip(reversed(self.stages), reversed(held), strict=True):
            behind += stage.pass_seconds
            slowest = max(slowest, (behind + stage.update_seconds) / (most * stage.stage.replicas))
            behind += stage.link_seconds
        return slowest

    @property
    def bottleneck(self) -> int:
        """Index of the stage that holds the others up."""
        return max(range(len(self.stages)), key=lambda i: self.stages[i].seconds)

    @property
    def communication_bytes(self) -> float:
        """Bytes on all links per minibatch: both ways over each boundary, and averaging."""
        return sum(2 * stage.input_bytes + stage.sync_bytes for stage in self.stages)

    @property
    def memory_bytes(self) -> int:
        """Bytes that a worker of the fullest stage holds."""
        return max(stage.memory_bytes for stage in self.stages)


def predict(
    plan: Plan, profile: Profile, levels: Sequence[Level], cost: Cost, *, optimizer_copies: int = 1
) -> Prediction:
    """Work out a plan's cost; one without groups lies on a single level, at the rate of the slowest link.

    Raises:
        HarnessError: where the plan does not fit the profile or the levels.
    """
    plan.check(len(profile.layers), total(levels))
    if not plan.groups:
        levels = flat(levels)
    elif len(plan.groups) + 1 != len(levels):
        raise HarnessError(f"the plan is for {len(plan.groups) + 1} levels, not {len(levels)}")
    return Prediction(plan, tuple(_Evaluation(plan, profile, levels, cost, optimizer_copies).stages()))


@dataclass(frozen=True)
class _Span:
    """A group's stages on one level; ``leads`` where it is the first of its component."""

    start: int
    stop: int
    replicas: int
    leads: bool


class _Evaluation:
    def __init__(
        self, plan: Plan, profile: Profile, levels: Sequence[Level], cost: Cost, optimizer_copies: int
    ) -> None:
        self.plan = plan
        self.profile = profile
        self.levels = levels
        self.cost = cost
        self.optimizer_copies = optimizer_copies
        self.live = live_bytes(plan, profile)
        self.parameters = [sum(profile.layers[i].parameter_bytes for i in stage.layers) for stage in plan.stages]
        self.spans = [list(spans) for spans in _spans(plan)]

    def stages(self) -> Iterator[StagePrediction]:
        for index, (stage, held) in enumerate(zip(self.plan.stages, self.plan.in_flight, strict=True)):
            layers = [self.profile.layers[i] for i in stage.layers]
            compute = sum(layer.seconds for layer in layers)
            update = sum(layer.update_seconds for layer in layers)
            activations = sum(layer.activation_bytes for layer in layers) + self.live[index]
            memory = stage_bytes(self.parameters[index], activations, held, optimizer_copies=self.optimizer_copies)
            yield StagePrediction(
                stage=stage,
                pass_seconds=compute - update,
                update_seconds=update,
                link_seconds=self._link(index),
                sync_seconds=self._sync(index),
                input_seconds=self._input(index),
                seconds=max(self._raised(index, 0, compute), *self._boundaries(index)),
                parameter_bytes=self.parameters[index],
                input_bytes=self.live[index],
                in_flight=held,
                memory_bytes=int(memory),
            )

    def _raised(self, index: int, level: int, seconds: float) -> float:
        """What ``seconds`` within a component of a level come to, seen from the top: the levels above replicate it."""
        for above in range(level, len(self.levels)):
            span = self.spans[above][index]
            averaged = self._averaged(above, span) / self.cost.divisor(span.leads, self.levels[:above])
            rate = self.levels[above].bytes_per_second
            seconds = float(self.cost.stage(seconds, averaged, span.replicas, rate))
        return seconds

    def _averaged(self, level: int, span: _Span) -> int:
        return sum(self.parameters[span.start : span.stop])

    def _sync(self, index: int) -> float:
        """Seconds of averaging: on the slowest level where it overlaps, else on all together."""
        shares = []
        for level, here in enumerate(self.levels):
            span = self.spans[level][index]
            averaged = self._averaged(level, span) / self.cost.divisor(span.leads, self.levels[:level])
            share = self.cost.sync(averaged, span.replicas, here.bytes_per_second)
            shares.append(float(share) / prod(spans[index].replicas for spans in self.spans[level:]))
        return max(shares) if self.cost.overlaps else sum(shares)

    def _crossing(self, index: int) -> int | None:
        """The level whose links the stage's input crosses: the highest on which a later group starts with it."""
        crossed = [level for level, spans in enumerate(self.spans) if spans[index].start == index]
        return crossed[-1] if index else None

    def _input(self, index: int) -> float:
        level = self._crossing(index)
        if level is None:
            return 0.0
        span = self.spans[level][index]
        seconds = self.cost.transfer(self.live[index], span.replicas, self.levels[level].bytes_per_second)
        return float(seconds) / prod(spans[index].replicas for spans in self.spans[level + 1 :])

    def _link(self, index: int) -> float:
        level = self._crossing(index)
        if level is None or not self.cost.transfers:
            return 0.0
        return 2 * self.live[index] / self.levels[level].bytes_per_second

    def _boundaries(self, index: int) -> Iterator[float]:
        """Seconds of the boundaries that the stage is charged for, seen from the top."""
        yield 0.0
        level = self._crossing(index)
        if level is not None:
            rate, replicas = self.levels[level].bytes_per_second, self.spans[level][index].replicas
            yield self._raised(index, level + 1, float(self.cost.transfer(self.live[index], replicas, rate)))
        for level, spans in enumerate(self.spans):
            span = spans[index]
            if index + 1 == span.stop and not span.leads:
                rate = self.levels[level].bytes_per_second
                sent = float(self.cost.output(self.live[index + 1], span.replicas, rate))
                yield self._raised(index, level + 1, sent)


def live_bytes(plan: Plan, profile: Profile) -> list[int]:
    """Bytes handed on at each boundary, from before the first stage to behind the last one: both none.

    Raises:
        HarnessError: where a stage reads the output of a later one.
    """
    place = {layer: index for index, stage in enumerate(plan.stages) for layer in stage.layers}
    needed = dict.fromkeys(range(len(profile.layers)), -1)
    for source, target in profile.edges:
        if place[source] > place[target]:
            name = profile.layers[source].name
            raise HarnessError(
                f"stage {place[target]} of plan {plan} needs layer {source} ({name}), of stage {place[source]}"
            )
        needed[source] = max(needed[source], place[target])
    return [
        sum(profile.layers[i].activation_bytes for i, last in needed.items() if place[i] < boundary <= last)
        for boundary in range(len(plan.stages) + 1)
    ]


def _spans(plan: Plan) -> Iterator[list[_Span]]:
    """Per level and per stage, the group that the stage belongs to."""
    counts = plan.replicas_by_level
    lowest = tuple(Group(1, inner[0]) for inner in counts)
    partitions = (lowest, *plan.groups)
    for level, groups in enumerate(partitions):
        above = partitions[level + 1] if level + 1 < len(partitions) else (Group(len(plan.stages), 1),)
        leading = {0, *accumulate(group.stages for group in above)}
        start = 0
        spans = []
        for group in groups:
            span = _Span(start, start + group.stages, group.replicas, start in leading)
            spans += [span] * group.stages
            start = span.stop
        yield spans
