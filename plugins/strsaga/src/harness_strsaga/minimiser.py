"""The minimum of a convex objective, with a certificate, over growing prefixes of a stream.

Newton's method with backtracking. Up to ``DENSE_LIMIT`` features it solves with a Cholesky factor of the
Hessian, kept for as long as its steps shrink the gradient tenfold; above, with preconditioned
conjugate gradients on Hessian-vector products. Since F is mu-strongly convex,

    F(w) - min F <= |grad F(w)|^2 / (2 mu)

and w is returned once the right side is at most ``TOLERANCE``: a hundredth of the 1e-10 that a
suboptimality needs, so that none comes out below zero by more than 1e-12.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import HarnessError, cached
from harness_strsaga.objective import Objective
from harness_strsaga.sampling import dimension
from harness_strsaga.stream import Stream

Floats = NDArray[np.float64]
Solve = Callable[[Floats], Floats]

TOLERANCE = 1e-12
DENSE_LIMIT = 1000  # features; a factor of that size takes some 20 ms
STEPS = 100
SUFFICIENT_DECREASE = 1e-4
ROUNDING = 1e-15  # of an objective's value, relative


@dataclass(frozen=True)
class Minimum:
    """A point whose value is above the minimum by at most ``bound``; ``solve`` applies a recent inverse Hessian."""

    weights: Floats
    value: float
    bound: float
    solve: Solve | None


def minimum(objective: Objective, start: Floats, solve: Solve | None = None) -> Minimum:
    """Minimise from a start; a ``solve`` left by a similar problem saves a factorization."""
    if not objective.convex or objective.mu <= 0:
        raise HarnessError("a minimum is certified for convex losses with mu > 0 only", where=objective.loss)
    weights, before = start, np.inf
    for _ in range(STEPS):
        gradient = objective.gradient(weights)
        size = float(gradient @ gradient)
        if size <= 2 * objective.mu * TOLERANCE:
            return Minimum(weights, objective.value(weights), size / (2 * objective.mu), solve)
        if solve is None or len(weights) > DENSE_LIMIT or size > before / 100:
            solve = inverse_hessian(objective, weights, size**0.5)
        weights, before = _backtrack(objective, weights, gradient, -solve(gradient)), size
    raise HarnessError(f"no minimum in {STEPS} Newton steps: |gradient|^2 is {size:.3g}", where=objective.loss)


def inverse_hessian(objective: Objective, weights: Floats, error: float) -> Solve:
    """A solver of H x = b at these weights; an iterative one is as exact as a gradient of norm ``error`` deserves."""
    if len(weights) > DENSE_LIMIT:
        return _conjugate_gradients(objective, weights, error)
    from scipy.linalg import cho_factor, cho_solve

    factor = cho_factor(objective.hessian(weights), overwrite_a=True)
    return lambda b: np.asarray(cho_solve(factor, b))


def _conjugate_gradients(objective: Objective, weights: Floats, error: float) -> Solve:
    """Conjugate gradients, scaled by the Hessian's diagonal."""
    from scipy.sparse.linalg import LinearOperator, cg

    rows, curvature, mu = objective.matrix, objective.curvatures(weights), objective.mu
    squared = rows.power(2) if hasattr(rows, "power") else rows**2
    diagonal = squared.T @ curvature + mu
    shape = (len(weights), len(weights))
    hessian = LinearOperator(shape, matvec=lambda v: rows.T @ (curvature * (rows @ v)) + mu * v, dtype=np.float64)
    scaling = LinearOperator(shape, matvec=lambda v: v / diagonal, dtype=np.float64)
    return lambda b: np.asarray(cg(hessian, b, M=scaling, rtol=min(0.1, error**0.5), maxiter=1000)[0])


def _backtrack(objective: Objective, weights: Floats, gradient: Floats, direction: Floats) -> Floats:
    """Halve the step until the objective falls as Armijo asks, up to its rounding."""
    value, promised = objective.value(weights), SUFFICIENT_DECREASE * float(gradient @ direction)
    length = 1.0
    while objective.value(weights + length * direction) > value + length * promised + ROUNDING * abs(value):
        length /= 2
    return weights + length * direction


def minima(stream: Stream, counts: Sequence[int]) -> dict[str, Any]:
    """The minima over the stream's prefixes of these sizes, in order; kept on disk.

    ``values`` (k,), and ``bounds`` (k,) by which each may lie above the true minimum.
    """
    sizes = ",".join(map(str, counts))
    return dict(cached(f"strsaga-minima 1 {stream.key} {TOLERANCE} {sizes}", lambda: _minima(stream, counts)))


def _minima(stream: Stream, counts: Sequence[int]) -> dict[str, Any]:
    found: list[Minimum] = []
    weights, solve = np.zeros(dimension(stream)), None
    for count in counts:
        found.append(minimum(Objective.over(stream, count), weights, solve))
        weights, solve = found[-1].weights, found[-1].solve
    return {"values": np.array([m.value for m in found]), "bounds": np.array([m.bound for m in found])}
