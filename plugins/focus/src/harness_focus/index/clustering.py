"""Incremental clustering of feature vectors, in one pass (OSDI 2018, section 4.2).

1. An object joins the active cluster whose centroid is nearest, if that is nearer than T; else it begins a new one.
2. A centroid is the running mean of its members' features; probabilities are summed over them.
3. Where there are more than M active clusters, the smallest is closed: nothing joins it any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]


@dataclass(eq=False)
class Cluster:
    """What is known of a cluster; ``shown`` is the feature of the object that stands for it.

    ``size`` counts its members, ``classified`` those of them whose features were computed.
    """

    number: int
    centroid: Vector
    sums: Vector
    shown: Vector
    size: int = 1
    classified: int = 1

    def include(self) -> None:
        """Count a member that was recognised without its features."""
        self.size += 1

    def take(self, feature: Vector, probabilities: Vector) -> bool:
        """Add a member; whether it is nearer to the new centroid than what stood for the cluster."""
        self.size += 1
        self.classified += 1
        self.centroid += (feature - self.centroid) / self.classified
        self.sums += probabilities
        nearer = bool(_distance(feature, self.centroid) < _distance(self.shown, self.centroid))
        if nearer:
            self.shown = feature.copy()
        return nearer


@dataclass(frozen=True)
class Joined:
    """Where an object went: the cluster, whether it began it, and whether it now stands for it."""

    cluster: Cluster
    new: bool
    representative: bool


class Clustering:
    """The active clusters of a stream; ``threshold`` is T, a Euclidean distance, and ``limit`` is M."""

    def __init__(self, *, threshold: float, limit: int = 100, first: int = 0) -> None:
        self.threshold, self.limit, self.next = threshold, limit, first
        self.active: list[Cluster] = []
        self._centroids = np.zeros((0, 0), dtype=np.float32)  # a row for each active cluster, and room for more

    def resume(self, clusters: list[Cluster], following: int) -> None:
        """Go on with clusters that were active before; ``following`` is the next new cluster's number."""
        self.active, self.next = [], following
        for cluster in clusters:
            self._activate(cluster)

    def add(self, feature: Vector, probabilities: Vector) -> Joined:
        """Put an object into a cluster."""
        nearest = self._nearest(feature)
        if nearest is None:
            return self._begin(feature, probabilities)
        cluster = self.active[nearest]
        nearer = cluster.take(feature, probabilities)
        self._centroids[nearest] = cluster.centroid
        return Joined(cluster, new=False, representative=nearer)

    def _nearest(self, feature: Vector) -> int | None:
        if not self.active:
            return None
        differences = self._centroids[: len(self.active)] - feature
        squares = np.einsum("ij,ij->i", differences, differences)
        nearest = int(squares.argmin())
        return nearest if squares[nearest] < self.threshold**2 else None

    def _begin(self, feature: Vector, probabilities: Vector) -> Joined:
        cluster = Cluster(self.next, feature.copy(), probabilities.copy(), feature.copy())
        self.next += 1
        self._activate(cluster)
        if len(self.active) > self.limit:
            self._close(min(range(len(self.active) - 1), key=lambda n: self.active[n].size))
        return Joined(cluster, new=True, representative=True)

    def _activate(self, cluster: Cluster) -> None:
        count = len(self.active)
        if count >= len(self._centroids):
            room = np.zeros((count + 1, len(cluster.centroid)), dtype=np.float32)
            self._centroids = np.concatenate([self._centroids.reshape(-1, room.shape[1]), room])
        self._centroids[count] = cluster.centroid
        self.active.append(cluster)

    def _close(self, place: int) -> None:
        count = len(self.active)
        self._centroids[place : count - 1] = self._centroids[place + 1 : count]
        del self.active[place]


def _distance(a: Vector, b: Vector) -> float:
    return float(np.linalg.norm(a - b))
