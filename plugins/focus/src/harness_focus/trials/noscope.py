"""NoScope on moving objects (Kang, Emmons, Abuzaid, Bailis, Zaharia: NoScope, VLDB 2017, sections 5 and 6).

1. Only one frame in ``every`` is looked at; those up to the next are taken to show the same.
2. A difference detector: an object that looks as it did in the last such frame gets that one's answer.
3. A small network for the class: below the lower threshold the answer is no, above the upper one yes.
4. Between the thresholds the expensive network decides.
Steps and thresholds are the cheapest that reach the target on the validation part, of a grid over the shares of
positives and negatives that the thresholds may get wrong. Nothing is kept back for chance: on other
seconds of the stream a query may fall short of the target, where Focus's choice has a margin.

The small network is taught as Focus's are, on the same labels, for all classes at once: its probability of a class is
the score. A query is charged its calls, and, where teaching counts, the whole of it: for one class it takes as long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from harness_focus.footage.footage import TRAINING, VALIDATION
from harness_focus.footage.scoring import present
from harness_focus.networks import OTHER, batches
from harness_focus.networks.arithmetic import multiply_adds
from harness_focus.networks.specialised import Architecture
from harness_focus.networks.teaching import specialise
from harness_focus.trials.costs import charged
from harness_focus.trials.trial import Trial
from harness_focus.video.differencing import Differencing
from harness_focus.video.motion import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_focus.footage.footage import Footage
    from harness_focus.networks.specialised import Specialised
    from harness_focus.trials.trial import Answer

    Scores = NDArray[np.float32]
    Mask = NDArray[np.bool_]
    Numbers = NDArray[np.int64]

EVERY = (1, 10, 30)  # frames (NoScope's own skips, and none)
DIFFERENCES = (0.0, 2.0, 6.0)  # grey levels
RATES = (0.0, *np.geomspace(0.001, 0.3, 31).tolist())  # 32 x 32 pairs of thresholds
TARGET = 0.95


@dataclass(frozen=True, eq=False)
class Looked:
    """What is looked at, for one choice of steps: ``root`` is the object whose answer each object gets, -1 for none."""

    every: int
    difference: float
    root: Numbers

    @cached_property
    def fresh(self) -> Numbers:
        """The objects that a network sees."""
        return np.flatnonzero(self.root == np.arange(len(self.root)))


@dataclass(frozen=True, eq=False)
class Plan:
    """How a class is asked for: scores under ``low`` are no, above ``high`` yes."""

    looked: Looked
    low: float
    high: float

    def described(self, label: str) -> dict[str, object]:
        """The plan as JSON; a threshold that no score reaches is none."""
        bounds = (bound if np.isfinite(bound) else None for bound in (self.low, self.high))
        return {
            "class": label,
            "every": self.looked.every,
            "difference": self.looked.difference,
            "thresholds": list(bounds),
        }


def answer(trial: Trial, *, side: int, blocks: int) -> None:
    """Teach the network, then choose and query for each class."""
    footage, trace = trial.footage, trial.trace
    trace.count("calibration_calls", sum(len(footage.within(part)) for part in (TRAINING, VALIDATION)))
    with charged(trace, "query_training"):
        network = taught(trial, Architecture(side, blocks))
    small = multiply_adds(lambda: network(footage.crops[:1]))
    with charged(trace, "small_network"):
        scores = np.concatenate([network(batch)[1] for batch in batches(footage.crops)])
    trace.count("small_timed", len(scores))
    steps = [looked(footage, every, difference) for every, difference in product(EVERY, DIFFERENCES)]

    def ask(label: int) -> Answer:
        query = Asked(footage, label, scores[:, column(network, footage.classes[label])])
        plan = chosen(query, steps, small / max(trial.expert_multiply_adds, small, 1))
        trace.count("small_calls", len(plan.looked.fresh))
        trace.fact("noscope", plan.described(footage.classes[label]))
        return query.frames(plan), int(query.unsure(plan).sum())

    trial.ask(ask)


def taught(trial: Trial, architecture: Architecture) -> Specialised:
    """The small network; it knows the classes that are asked for, as far as its labels show them."""
    footage, mine = trial.footage, trial.footage.within(TRAINING)
    crops = [footage.crops[n] for n in mine.tolist()]
    most = len(trial.asked)
    return specialise(crops, footage.labels[mine], footage.classes, architecture, most=most, seed=trial.job.seed)


def column(network: Specialised, name: str) -> int:
    """Where the network says how sure it is of a class, or of OTHER for one that it was not taught."""
    return network.classes.index(name if name in network.classes else OTHER)


def looked(footage: Footage, every: int, difference: float) -> Looked:
    """Run the difference detector over the frames that are looked at."""
    detector: Differencing[int] = Differencing(threshold=difference)
    root = np.full(len(footage.frames), -1, dtype=np.int64)
    starts = np.searchsorted(footage.frames, np.arange(len(footage.frame_seconds) + 1))
    for frame in range(0, len(footage.frame_seconds), every):
        for number in range(starts[frame], starts[frame + 1]):
            box, crop = Box(*footage.boxes[number].tolist()), footage.crops[number]
            same = detector.same(box, crop)
            root[number] = number if same is None else same
            detector.remember(box, crop, int(root[number]))
        detector.turn()
    return Looked(every, difference, root)


@dataclass(frozen=True, eq=False)
class Asked:
    """A query for a class: the small network's score of every object."""

    footage: Footage
    label: int
    scores: Scores

    @cached_property
    def positive(self) -> Mask:
        """The objects that the expensive network calls so."""
        return np.asarray(self.footage.labels == self.label)

    def unsure(self, plan: Plan) -> Mask:
        """The objects that the expensive network is asked about."""
        asked = np.zeros(len(self.scores), dtype=bool)
        fresh = plan.looked.fresh
        asked[fresh] = (self.scores[fresh] >= plan.low) & (self.scores[fresh] <= plan.high)
        return asked

    def frames(self, plan: Plan) -> Numbers:
        """The frames that the answer consists of."""
        unsure, root = self.unsure(plan), plan.looked.root
        yes = np.where(unsure, self.positive, self.scores > plan.high)
        found = np.unique(self.footage.frames[(root >= 0) & yes[root]])
        until = np.arange(plan.looked.every)
        every = (found[:, None] + until).ravel()
        return every[every < len(self.footage.frame_seconds)]


def chosen(query: Asked, steps: Sequence[Looked], relative: float) -> Plan:
    """The cheapest plan that reaches the target on the validation part; ``relative`` is a small call's cost.

    Where none does, the expensive network decides on every object.
    """
    footage = query.footage
    whole = footage.frame_seconds.astype(np.int64)
    part = footage.parts[: whole[-1] + 1] == VALIDATION
    mine = footage.parts[footage.seconds.astype(np.int64)] == VALIDATION
    true = present(np.unique(footage.frames[query.positive]), whole) & part

    def cost(plan: Plan) -> float:
        return float((query.unsure(plan) & mine).sum() + relative * mine[plan.looked.fresh].sum())

    for plan in sorted(_plans(query, steps, mine), key=cost):
        found = present(query.frames(plan), whole) & part
        right = (found & true).sum()
        if right >= TARGET * max(found.sum(), true.sum()):
            return plan
    return Plan(steps[0], -np.inf, np.inf)


def _plans(query: Asked, steps: Sequence[Looked], mine: Mask) -> Iterator[Plan]:
    """The grid; thresholds are quantiles of what the small network says of calibration's objects."""
    for step in steps:
        fresh = step.fresh[mine[step.fresh]]
        scores, positive = query.scores[fresh], query.positive[fresh]
        if positive.all() or not positive.any():
            continue
        lows = np.quantile(scores[positive], RATES, method="lower")
        highs = np.quantile(scores[~positive], 1 - np.array(RATES), method="higher")
        for low, high in sorted({_ordered(float(low), float(high)) for low, high in product(lows, highs)}):
            yield Plan(step, low, high)


def _ordered(low: float, high: float) -> tuple[float, float]:
    """Thresholds that leave nothing between them are one, half-way."""
    return (low, high) if low <= high else ((low + high) / 2, (low + high) / 2)
