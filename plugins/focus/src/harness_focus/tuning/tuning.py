"""Tuning to a stream: teach cheap networks on the training part, and choose on the validation part.

What the expensive network labels is the calibration sample: the objects of these two parts, and any other that stands
for a cluster with validation seconds in it, as a query would ask about it. Labels of the test part are never looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from os import cpu_count
from typing import TYPE_CHECKING

import numpy as np
from torch import get_num_threads, set_num_threads

from harness import HarnessError
from harness_focus.footage.footage import TRAINING, VALIDATION
from harness_focus.footage.scoring import dominant, outcomes
from harness_focus.ingest.indexing import Settings
from harness_focus.networks import batches, labelled
from harness_focus.networks.arithmetic import multiply_adds
from harness_focus.networks.specialised import Architecture, Specialised
from harness_focus.networks.teaching import STEPS, specialise
from harness_focus.tuning.clustered import clustered
from harness_focus.tuning.selection import TARGET, Bounds, Front, Policy, Scored, Setting, front

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_focus.footage.footage import Footage
    from harness_focus.networks import CheapNetwork, ExpensiveNetwork
    from harness_focus.tuning.clustered import Clustered


@dataclass(frozen=True)
class Grid:
    """What is tried; fixed before anything is known of a stream."""

    architectures: tuple[Architecture, ...] = (
        Architecture(32, 0),
        Architecture(24, 3),
        Architecture(32, 5),
        Architecture(32, 8),
    )
    thresholds: tuple[float, ...] = (0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
    ks: tuple[int, ...] = (1, 2, 3, 4, 6, 100)
    most: int = 20  # Ls, at most; no more than training shows
    active: int = 100  # M
    steps: int = STEPS  # of each network's training


@dataclass(frozen=True, eq=False)
class Tuned:
    """What was chosen: ``network`` and ``settings`` for ingest; ``front`` is what there was.

    ``calls`` of the expensive network are as many as the calibration sample has objects.
    """

    network: Specialised
    settings: Settings
    chosen: Scored
    front: Front
    calls: int


def tune(
    footage: Footage,
    expert: ExpensiveNetwork,
    *,
    policy: Policy = "balance",
    seed: int,
    target: float = TARGET,
    grid: Grid | None = None,
) -> Tuned:
    """Choose for a stream. Raises HarnessError where a part to train or validate on shows nothing."""
    return Search(footage, expert, seed=seed, grid=grid or Grid()).tuned(policy, target=target)


class Search:
    """The grid's settings with their scores, from which each policy takes one."""

    def __init__(self, footage: Footage, expert: ExpensiveNetwork, *, seed: int, grid: Grid) -> None:
        self.footage, self.grid = footage, grid
        self._truth = Truth(footage, expert)
        self._relative = multiply_adds(lambda: expert(footage.crops[:1]))
        training = _within(footage, TRAINING, "train on")
        calibration = np.concatenate([training, _within(footage, VALIDATION, "choose on")])
        self._asked = dominant(footage.named(footage.labels[calibration]))
        crops, labels = [footage.crops[n] for n in training.tolist()], footage.labels[training]
        teach = partial(specialise, crops, labels, footage.classes, most=grid.most, steps=grid.steps, seed=seed)
        # torch lets go of the interpreter, so networks learn side by side; a new thread knows nothing of its limits.
        with ThreadPoolExecutor(cpu_count(), initializer=set_num_threads, initargs=(get_num_threads(),)) as pool:
            self.networks = list(pool.map(teach, grid.architectures))
        self._bounds = Bounds(footage, seed=seed)
        self.scored = tuple(s for number in range(len(self.networks)) for s in self._all(number))

    def tuned(self, policy: Policy, *, target: float = TARGET) -> Tuned:
        """What a policy takes."""
        points = front(self.scored, target=target)
        best = points.chosen(policy)
        network = self.networks[best.setting.network]
        k = min(best.setting.k, len(network.classes))
        settings = Settings(k=k, threshold=best.setting.threshold, active=self.grid.active, differencing=0)
        return Tuned(network, settings, best, points, self._truth.calls)

    def _all(self, number: int) -> Iterator[Scored]:
        network = self.networks[number]
        ingest = self._ingest(network)
        features, probabilities = embedded(network, self.footage)
        ks = sorted({min(k, len(network.classes)) for k in self.grid.ks})
        for threshold in self.grid.thresholds:
            index = clustered(features, probabilities, network.classes, threshold=threshold, active=self.grid.active)
            for k in ks:
                yield self._scored(Setting(number, threshold, k), index, ingest)

    def _scored(self, setting: Setting, index: Clustered, ingest: float) -> Scored:
        candidates = {label: index.candidates(self.footage.classes[label], setting.k) for label in self._asked}
        scored = self._bounds(outcomes(self.footage, {n: self._answer(index, n, c) for n, c in candidates.items()}))
        query = float(np.mean([len(found) for found in candidates.values()]))
        return Scored(setting, ingest, query, *scored)

    def _answer(self, index: Clustered, label: int, candidates: NDArray[np.int64]) -> NDArray[np.int64]:
        """The frames of validation seconds that a query would return."""
        touching = np.zeros(len(index.shown), dtype=bool)
        touching[index.cluster[self._truth.validation]] = True
        looked = candidates[touching[candidates]]
        members = index.members(looked[self._truth(index.shown[looked]) == label])
        return np.unique(self.footage.frames[members])

    def _ingest(self, network: CheapNetwork) -> float:
        """The cheap network on the whole stream, in calls of the expensive one; by multiply-adds, which repeat."""
        crops = self.footage.crops
        each = multiply_adds(lambda: network(crops[:1])) / self._relative if self._relative else 0.0
        return len(crops) * each


class Truth:
    """What the expensive network says of objects: known of the calibration's parts, asked for others and counted."""

    def __init__(self, footage: Footage, expert: ExpensiveNetwork) -> None:
        self._crops, self._expert = footage.crops, expert
        self._numbers = {name: n for n, name in enumerate(footage.classes)}
        self.validation = footage.within(VALIDATION)
        known = np.concatenate([footage.within(TRAINING), self.validation])
        self._labels = np.full(len(footage.labels), -1, dtype=np.int64)
        self._labels[known] = footage.labels[known]
        self.calls = len(known)

    def __call__(self, objects: NDArray[np.int64]) -> NDArray[np.int64]:
        """Labels by number; one that calibration never met is -2."""
        unknown = np.unique(objects[self._labels[objects] == -1]).tolist()
        said = labelled([self._crops[n] for n in unknown], self._expert)
        self._labels[unknown] = [self._numbers.get(label, -2) for label in said]
        self.calls += len(unknown)
        return self._labels[objects]


def embedded(network: CheapNetwork, footage: Footage) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features and probabilities of all objects."""
    found = [network(batch) for batch in batches(footage.crops)]
    return np.concatenate([f for f, _ in found]), np.concatenate([p for _, p in found])


def _within(footage: Footage, part: int, purpose: str) -> NDArray[np.int64]:
    found = footage.within(part)
    if not len(found):
        raise HarnessError(f"shows nothing to {purpose} in the seconds set aside for it; take a longer stream")
    return found
