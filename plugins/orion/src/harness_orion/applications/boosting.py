"""Gradient-boosted trees for a logistic loss: the loop sums gradients by feature, node and bin; trees grow after it.

A pass is one level of one tree. The loop runs over features and samples; no two features share a sum,
so that features run at once. What it sums is exact whatever the order: gradients are rounded to a grid
whose sums a float64 holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness_orion.arrays import DistArray

QUANTUM = 2.0**-30
REGULARIZER = 1.0


def histogram(key, val, sums, nodes, slopes, curvatures, _margins):  # type: ignore[no-untyped-def]
    """Add one sample's gradients to the bin of one of its features, ``val``; the margins are for what follows."""
    f, i = key
    sums[f, nodes[i], val, 0] += slopes[i]
    sums[f, nodes[i], val, 1] += curvatures[i]


@dataclass(frozen=True)
class Shape:
    """How far trees grow, and how much each adds."""

    depth: int
    bins: int
    rate: float


@cache
def census() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Bins (features, samples) of the census data, and labels -1 or 1."""
    from harness.datasets import adult

    table = adult()
    bins = table.columns - table.columns.min(axis=0)
    return np.ascontiguousarray(bins.T, dtype=np.int64), table.labels


def arrays(bins: NDArray[np.int64], labels: NDArray[np.float64], shape: Shape) -> tuple[Any, ...]:
    """The arguments of ``histogram``, every sample at the root."""
    features, samples = bins.shape
    sums = DistArray(np.zeros((features, 2 ** (shape.depth - 1), shape.bins, 2)))
    nodes = DistArray(np.zeros(samples, np.int64))
    made = sums, nodes, *(DistArray(np.zeros(samples)) for _ in range(3))
    differentiate(made, labels)
    return made


def grow(arrays: tuple[Any, ...], bins: NDArray[np.int64], labels: NDArray[np.float64], level: int, of: Shape) -> None:
    """Split the nodes of a level; after the last one, add the tree's leaves to the margins and begin another tree."""
    sums, nodes, slopes, curvatures, margins = (array.values for array in arrays)
    nodes[:] = split_nodes(sums, 2**level, bins, nodes)
    sums[:] = 0.0
    if level == of.depth - 1:
        margins += of.rate * leaf_values(nodes, slopes, curvatures, 2**of.depth)[nodes]
        nodes[:] = 0
        differentiate(arrays, labels)


def differentiate(arrays: tuple[Any, ...], labels: NDArray[np.float64]) -> None:
    """The loss's first and second derivatives at the margins."""
    likely = 1 / (1 + np.exp(-arrays[4].values))
    arrays[2].values[:] = _rounded(likely - (labels > 0))
    arrays[3].values[:] = _rounded(likely * (1 - likely))


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.rint(values / QUANTUM) * QUANTUM)


def split_nodes(
    sums: NDArray[np.float64], count: int, bins: NDArray[np.int64], nodes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Each sample's node one level down, every node split where the gain is largest (Chen and Guestrin, KDD 2016)."""
    left = np.cumsum(sums[:, :count], axis=2)
    whole = left[:, :, -1:]
    gains = _worth(left) + _worth(whole - left)
    width = gains.shape[2]
    best = gains.transpose(1, 0, 2).reshape(count, -1).argmax(axis=1)
    feature, cut = np.divmod(best, width)
    return np.asarray(2 * nodes + (bins[feature[nodes], np.arange(len(nodes))] > cut[nodes]), dtype=np.int64)


def leaf_values(
    nodes: NDArray[np.int64], slopes: NDArray[np.float64], curvatures: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """What each leaf adds to the margins of its samples, before the rate."""
    slope, curvature = (np.bincount(nodes, weights=w, minlength=count) for w in (slopes, curvatures))
    return np.asarray(-slope / (curvature + REGULARIZER))


def _worth(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(sums[..., 0] ** 2 / (sums[..., 1] + REGULARIZER))
