"""What waits for a link: how many minibatches have to be in flight for nothing to, and where to cut if fewer are.

NOAM is as many as keep every worker computing where links take no time (SOSP 2019, section 3.2). On a link
that takes as long as a stage, NOAM minibatches share a round trip that is longer than their computation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, chain, pairwise
from math import ceil

from harness_pipedream.planning.costs import Cost
from harness_pipedream.planning.levels import Level
from harness_pipedream.planning.memory import MemoryLimit
from harness_pipedream.planning.plan import Plan, Stage
from harness_pipedream.planning.predict import Prediction, predict
from harness_pipedream.planning.schedule import noam, warmups
from harness_pipedream.profiling.profile import Profile

ROUNDING = 1e-9


def paced(prediction: Prediction, depth: int | None = None) -> float:
    """Seconds per minibatch with so many in flight at each input replica; NOAM if ``None``."""
    replicas = [stage.replicas for stage in prediction.plan.stages]
    return prediction.paced([ahead + 1 for ahead in warmups(replicas, depth)])


def hiding_depth(prediction: Prediction) -> int:
    """The fewest minibatches in flight, from NOAM on, at which the slowest stage alone sets the pace.

    Where no number does, since a later stage's warm-up cannot grow, the fewest that get nearest to it.
    """
    least = noam([stage.replicas for stage in prediction.plan.stages])
    one = sum(stage.pass_seconds + stage.update_seconds + stage.link_seconds for stage in prediction.stages)
    most = least + len(prediction.stages) + ceil(one / prediction.seconds if prediction.seconds else 0)
    best = min(paced(prediction, depth) for depth in range(least, most + 1))
    return next(depth for depth in range(least, most + 1) if paced(prediction, depth) <= best * (1 + ROUNDING))


def recut(
    plan: Plan,
    profile: Profile,
    levels: Sequence[Level],
    cost: Cost,
    *,
    depth: int | None = None,
    memory: MemoryLimit | None = None,
) -> Plan:
    """Move a plan's cuts, one after another, to where so few minibatches in flight wait least; replicas stay.

    The planner makes the slowest stage or boundary quick, as if enough were in flight to hide all else. Of plans that
    do equally well at that, some share a much longer round trip.
    """
    copies = memory.optimizer_copies if memory else 1
    best = predict(plan, profile, levels, cost, optimizer_copies=copies)
    while True:
        moved = (predict(other, profile, levels, cost, optimizer_copies=copies) for other in _neighbours(best.plan))
        fitting = (other for other in moved if memory is None or other.memory_bytes <= memory.bytes)
        nearest = min(fitting, key=lambda other: paced(other, depth), default=best)
        if paced(nearest, depth) >= paced(best, depth) * (1 - ROUNDING):
            return replace(best.plan, seconds=best.seconds)
        best = nearest


def _neighbours(plan: Plan) -> Iterator[Plan]:
    """The plans that one other cut makes, between the cuts before and after it."""
    order = list(chain.from_iterable(stage.layers for stage in plan.stages))
    cuts = [0, *accumulate(len(stage.layers) for stage in plan.stages)]
    for index in range(1, len(cuts) - 1):
        for cut in range(cuts[index - 1] + 1, cuts[index + 1]):
            if cut != cuts[index]:
                bounds = pairwise([*cuts[:index], cut, *cuts[index + 1 :]])
                parts = (tuple(order[start:end]) for start, end in bounds)
                stages = (Stage(part, old.replicas) for part, old in zip(parts, plan.stages, strict=True))
                yield replace(plan, stages=tuple(stages))
