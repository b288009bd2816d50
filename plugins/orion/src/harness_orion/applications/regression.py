"""Sparse logistic regression by SGD: which weights a sample reads and changes is in the data.

No plan can tell which samples share a weight, so changes go through a buffer and the weights are served:
what bulk prefetching is for.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness_orion.arrays import DistArray, DistArrayBuffer
from harness_orion.space import Entries


def descend(_key, val, weights, changes, rate):  # type: ignore[no-untyped-def]
    """One step of SGD on one sample of zeros and ones; ``val`` is the columns of its ones, and its label."""
    columns, label = val
    margin = 0.0
    for k in range(len(columns)):
        margin += weights[columns[k]]
    step = rate * label / (1.0 + math.exp(label * margin))
    for k in range(len(columns)):
        changes[columns[k]] += step


@cache
def census(dimension: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Columns (n, 91) of the census data's hashed crosses, and labels -1 or 1."""
    from harness.datasets import adult_crosses

    table = adult_crosses(dimension)
    return table.columns.astype(np.int64), table.labels


@cache
def power_law(
    samples: int, ones: int, dimension: int, exponent: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Samples whose r-th column is as frequent as r ** -exponent, with labels of a sparse logistic model."""
    rng = np.random.default_rng(0)
    ends = np.cumsum(np.arange(1, dimension + 1, dtype=np.float64) ** -exponent)
    columns = np.searchsorted(ends, rng.random((samples, ones)) * ends[-1])
    columns = rng.permutation(dimension)[columns]
    margins = rng.normal(size=dimension)[columns].sum(axis=1)
    return columns, np.where(rng.random(samples) < 1 / (1 + np.exp(-margins)), 1.0, -1.0)


def space(columns: NDArray[np.int64], labels: NDArray[np.float64], seed: int) -> Entries:
    """The samples in random order."""
    order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,))).permutation(len(labels))
    return Entries.of([np.arange(len(labels))], (columns[order], labels[order]))


def arrays(dimension: int, *, rate: float, max_delay: int | None) -> tuple[Any, ...]:
    """The arguments of ``descend``."""
    weights = DistArray(np.zeros(dimension))
    return weights, DistArrayBuffer(weights, max_delay=max_delay), rate


def mean_loss(columns: NDArray[np.int64], labels: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """The mean logistic loss over all samples."""
    return float(np.logaddexp(0.0, -labels * weights[columns].sum(axis=1)).mean())
