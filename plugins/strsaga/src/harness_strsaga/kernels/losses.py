"""Derivatives of the losses of a linear model with respect to its prediction x.w."""

from __future__ import annotations

import math

from harness_strsaga.kernels.compiled import compiled


@compiled
def slope(logistic: bool, prediction: float, target: float) -> float:
    """l'(x.w): of log(1 + exp(-y x.w)) with y = -1 or 1, or of (x.w - y)^2 / 2.

    An overflow of the exponential gives the limit, 0.
    """
    if logistic:
        return -target / (1.0 + math.exp(target * prediction))
    return prediction - target
