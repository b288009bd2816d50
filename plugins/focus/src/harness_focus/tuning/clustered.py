"""A whole stream clustered beforehand, so that every K can be tried on it: what ingest would do, without the index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness_focus.index.clustering import Cluster, Clustering
from harness_focus.networks import OTHER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Clustered:
    """``cluster`` of each object, and of each cluster the object that stands for it and the classes' ``ranks``, from 0.

    Shapes are (objects,), (clusters,) and (clusters, classes); ``classes`` are the cheap network's.
    """

    cluster: Numbers
    shown: Numbers
    ranks: Numbers
    classes: tuple[str, ...]

    def candidates(self, label: str, k: int) -> Numbers:
        """The clusters that a query for a class looks at, by number; none where no class stands for it."""
        name = label if label in self.classes else OTHER
        if name not in self.classes:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(self.ranks[:, self.classes.index(name)] < k)

    def members(self, clusters: Numbers) -> Numbers:
        """The objects of some clusters, in order of time."""
        chosen = np.zeros(len(self.shown), dtype=bool)
        chosen[clusters] = True
        return np.flatnonzero(chosen[self.cluster])


def clustered(
    features: Vectors, probabilities: Vectors, classes: Sequence[str], *, threshold: float, active: int = 100
) -> Clustered:
    """Cluster objects in order of time, as ingest does without pixel differencing."""
    clustering = Clustering(threshold=threshold, limit=active)
    clusters: list[Cluster] = []
    of = np.zeros(len(features), dtype=np.int64)
    shown: list[int] = []
    for number, (feature, probability) in enumerate(zip(features, probabilities, strict=True)):
        joined = clustering.add(feature, probability)
        if joined.new:
            clusters.append(joined.cluster)
            shown.append(number)
        elif joined.representative:
            shown[joined.cluster.number] = number
        of[number] = joined.cluster.number
    sums = np.array([cluster.sums for cluster in clusters]).reshape(-1, len(classes))
    sizes = np.bincount(of, minlength=len(clusters))[:, None].astype(np.float32)
    ranks = np.argsort(np.argsort(-sums / sizes, axis=1, kind="stable"), axis=1, kind="stable")
    return Clustered(of, np.array(shown, dtype=np.int64), ranks.astype(np.int64), tuple(classes))
