"""How curved the loss of one point can be: what the step sizes of theory go by."""

from __future__ import annotations

import numpy as np

from harness import HarnessError
from harness_strsaga.stream import Dense, Pairs, Stream


def smoothness(stream: Stream, begin: int, end: int) -> float:
    """The largest second derivative along a direction among the losses of points begin..end-1, L2 left out."""
    points = stream.points
    if isinstance(points, Pairs):
        raise HarnessError("a factorization's loss has no bounded curvature: give a number", where="rate")
    if isinstance(points, Dense):
        squares = np.einsum("ij,ij->i", points.rows[begin:end], points.rows[begin:end])
    else:
        values = points.values[points.starts[begin] : points.starts[end]]
        sums = np.concatenate([[0.0], np.cumsum(values**2)])
        squares = np.diff(sums[points.starts[begin : end + 1] - points.starts[begin]])
    return (0.25 if stream.loss == "logistic" else 1.0) * float(squares.max(initial=0.0))
