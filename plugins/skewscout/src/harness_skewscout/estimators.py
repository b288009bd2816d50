"""Estimators for claims about skew that no formula expresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness import Estimator

Floats = NDArray[np.float64]


def degree_correlation(units: Sequence[Mapping[str, float]]) -> float:
    """Spearman's rank correlation of ``a``'s degree of skew and its loss of accuracy; NaN where either is constant."""
    degrees = _ranks(np.array([unit["a.workload.degree"] for unit in units]))
    losses = _ranks(np.array([-unit["a.final_accuracy"] for unit in units]))
    one, other = degrees - degrees.mean(), losses - losses.mean()
    scale = np.sqrt((one**2).sum() * (other**2).sum())
    return float((one * other).sum() / scale) if scale else float("nan")


def _ranks(values: Floats) -> Floats:
    """Ranks from 0; those of equal values are their mean."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (counts.cumsum() - (counts + 1) / 2)[where]
    return ranks


DEGREE_CORRELATION = Estimator(
    "degree-correlation",
    "rank correlation of the degree of label skew and the accuracy lost",
    degree_correlation,
)
