"""The planner: which search to use for a model on a set of machines, and the best of what they find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Literal, get_args

from harness import HarnessError
from harness_pipedream.planning.bottleneck import BottleneckSearch
from harness_pipedream.planning.costs import ROUNDING, Cost, cost_model
from harness_pipedream.planning.dynamic import DynamicProgram
from harness_pipedream.planning.levels import Level, flat, total
from harness_pipedream.planning.memory import MemoryLimit
from harness_pipedream.planning.plan import Group, Plan, Stage
from harness_pipedream.planning.predict import predict
from harness_pipedream.planning.states import States
from harness_pipedream.profiling.profile import Profile

__all__ = ["Level", "Shape", "data_parallel", "plan"]

Shape = Literal["any", "straight", "data-parallel"]
MOST_WORK = 3e10
MOST_QUICK = 3e8


def plan(
    profile: Profile,
    levels: Sequence[Level],
    *,
    cost: str | Cost = "ring",
    shape: Shape = "any",
    memory: MemoryLimit | None = None,
    hierarchical: bool = True,
) -> Plan:
    """The plan of least predicted seconds per minibatch that uses every worker.

    ``levels`` go from the lowest one up. Searched are plans that lie on them level by level, unless not
    ``hierarchical`` or too many, and plans on one level with all workers at the slowest link's rate; the
    better one is returned, the plan by levels where they are equal. ``shape`` restricts the search to straight
    pipelines (one worker a stage), or to data parallelism (one stage).

    Raises:
        HarnessError: where no plan fits, as with too little memory, or with more stages than layers.
    """
    model = cost_model(cost) if isinstance(cost, str) else cost
    if not levels:
        raise HarnessError("a plan needs at least one level of workers")
    if shape not in get_args(Shape):
        raise HarnessError(f"unknown shape {shape!r}; there is {', '.join(get_args(Shape))}")
    if shape == "straight" and total(levels) > len(profile.layers):
        raise HarnessError(f"a straight pipeline of {total(levels)} stages has only {len(profile.layers)} layers")
    layouts = [flat(levels), tuple(levels)] if hierarchical and len(levels) > 1 else [flat(levels)]
    found: list[Plan | None] = []
    if shape != "straight":
        found = [_checked(_one_stage(profile, layout), profile, layout, model, memory) for layout in layouts]
    for layout in layouts:
        if shape == "data-parallel" or _keeps_all_busy(found, profile, levels):
            break
        within = min((plan.seconds for plan in found if plan and plan.seconds is not None), default=inf)
        found.insert(0, _search(profile, layout, model, memory, shape == "any", within))
    plans = [plan for plan in found if plan]
    if not plans:
        limit = f" within {memory.bytes / 2**30:.3g} GiB a worker" if memory else ""
        raise HarnessError(f"no plan for {total(levels)} workers{limit}")
    return min(plans, key=lambda plan: plan.seconds or 0.0)


def data_parallel(profile: Profile, levels: Sequence[Level], *, cost: str | Cost = "ring") -> Plan:
    """Every worker runs all layers: the plan that speed-ups are held against."""
    return plan(profile, levels, cost=cost, shape="data-parallel")


def _keeps_all_busy(plans: Sequence[Plan | None], profile: Profile, levels: Sequence[Level]) -> bool:
    """Whether some plan wastes no worker's time, so that none can be better."""
    least = profile.seconds / total(levels)
    return any(plan is not None and (plan.seconds or 0.0) <= least * (1 + ROUNDING) for plan in plans)


def _search(
    profile: Profile, levels: Sequence[Level], cost: Cost, memory: MemoryLimit | None, replication: bool, within: float
) -> Plan | None:
    """The best plan on these levels; ``None`` where none fits, or takes at most ``within`` seconds."""
    states = States.of(profile)
    work = _work(len(states), levels, memory)
    one_level = len(levels) == 1
    chain = states if profile.is_chain else States.prefixes(profile)
    if one_level and not memory and work > (MOST_QUICK if profile.is_chain else MOST_WORK):
        return BottleneckSearch(chain, levels[0], cost, replication=replication).solve()
    if work > MOST_WORK:
        if not one_level:
            return None
        raise HarnessError(
            f"{len(profile.layers)} layers on {levels[0].workers} workers are too many to plan with a memory limit"
        )
    return DynamicProgram(states, levels, cost, memory=memory, replication=replication, within=within).solve()


def _work(states: int, levels: Sequence[Level], memory: MemoryLimit | None) -> float:
    """Comparisons that the dynamic program takes; a memory limit makes a table for each place of a component."""
    work, places = 0.0, 1.0
    for level, here in reversed(list(enumerate(levels))):
        triples = states**2 if level == len(levels) - 1 else states**3 / 3
        work += places * triples * here.workers**2 / 2
        places *= here.workers**2 / 2 if memory else 1
    return work


def _one_stage(profile: Profile, levels: Sequence[Level]) -> Plan:
    stage = Stage(tuple(range(len(profile.layers))), total(levels))
    return Plan((stage,), tuple((Group(1, level.workers),) for level in levels[1:]))


def _checked(
    plan: Plan, profile: Profile, levels: Sequence[Level], cost: Cost, memory: MemoryLimit | None
) -> Plan | None:
    found = predict(plan, profile, levels, cost, optimizer_copies=memory.optimizer_copies if memory else 0)
    if memory and found.memory_bytes > memory.bytes:
        return None
    return replace(plan, seconds=found.seconds)
