"""Matrix factorization: a rating is a row of W times a row of H.

Three rules of the same form. ``sgd``: one step size. ``adagrad``: that of LIBMF (Chin, Zhuang, Juan, Lin: A
Learning-Rate Schedule for Stochastic Gradient Methods to Matrix Factorization, PAKDD 2015): a rate for
each row, of its first dimensions and of the others, which begin in the second pass. ``adarevision``
(McMahan and Streeter, NIPS 2014): a rate for each element, which makes up for gradients that were late.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness_orion.arrays import DistArray, DistArrayBuffer

LEADING = 8  # dimensions that LIBMF updates from the first pass on
Factors = NDArray[np.float32]


def sgd(key, val, W, H, rate, decay):  # type: ignore[no-untyped-def]
    """One step of SGD with L2 weight ``decay``."""
    i, j = key
    w = W[i]
    h = H[j]
    e = val - w @ h
    w_step = e * h - decay * w
    h_step = e * w - decay * h
    W[i] += rate * w_step
    H[j] += rate * h_step


def adagrad(key, val, W, H, W_sums, H_sums, U, V, U_sums, V_sums, late, rate, decay):  # type: ignore[no-untyped-def]
    """One step with LIBMF's rates; W and H are the leading dimensions, U and V the others."""
    i, j = key
    w = W[i]
    h = H[j]
    u = U[i]
    v = V[j]
    e = val - w @ h - u @ v
    w_slope = decay * w - e * h
    h_slope = decay * h - e * w
    w_rate = rate / np.sqrt(W_sums[i])
    h_rate = rate / np.sqrt(H_sums[j])
    W_sums[i] += w_slope @ w_slope / len(w)
    H_sums[j] += h_slope @ h_slope / len(h)
    W[i] -= w_rate * w_slope
    H[j] -= h_rate * h_slope
    if late[0] > 0:
        u_slope = decay * u - e * v
        v_slope = decay * v - e * u
        u_rate = rate / np.sqrt(U_sums[i])
        v_rate = rate / np.sqrt(V_sums[j])
        U_sums[i] += u_slope @ u_slope / len(u)
        V_sums[j] += v_slope @ v_slope / len(v)
        U[i] -= u_rate * u_slope
        V[j] -= v_rate * v_slope


def adarevision(  # type: ignore[no-untyped-def]
    key, val, W, H, W_seen, H_seen, _W_squares, _H_squares, _W_most, _H_most, W_slopes, H_slopes, W_then, H_then, decay
):
    """One gradient, handed to buffers with the sum of gradients that was known when it was computed."""
    i, j = key
    w = W[i]
    h = H[j]
    e = val - w @ h
    W_slopes[i] += decay * w - e * h
    H_slopes[j] += decay * h - e * w
    W_then[i] = W_seen[i]
    H_then[j] = H_seen[j]


def initial_factors(shape: tuple[int, int], rank: int, seed: int) -> tuple[Factors, Factors]:
    """Uniform from 0 to 1 / sqrt(rank), as LIBMF begins."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
    W, H = (rng.random((extent, rank), np.float32) / np.float32(np.sqrt(rank)) for extent in shape)
    return W, H


def sgd_arrays(W: Factors, H: Factors, *, rate: float, decay: float) -> tuple[Any, ...]:
    """The arguments of ``sgd``."""
    return DistArray(W), DistArray(H), np.float32(rate), np.float32(decay)


def adagrad_arrays(W: Factors, H: Factors, *, rate: float, decay: float) -> tuple[Any, ...]:
    """The arguments of ``adagrad``; sums of squares begin at 1."""
    parts = []
    for part in (slice(None, LEADING), slice(LEADING, None)):
        factors = [np.ascontiguousarray(whole[:, part]) for whole in (W, H)]
        sums = [np.ones(len(whole), np.float32) for whole in (W, H)]
        parts += [DistArray(a) for a in (*factors, *sums)]
    return *parts, DistArray(np.zeros(1, np.int64)), np.float32(rate), np.float32(decay)


def adagrad_factors(arrays: tuple[Any, ...]) -> tuple[Factors, Factors]:
    """W and H with all their dimensions."""
    return np.hstack([arrays[0].values, arrays[4].values]), np.hstack([arrays[1].values, arrays[5].values])


def adarevision_arrays(
    W: Factors, H: Factors, *, rate: float, decay: float, max_delay: int | None = None
) -> tuple[Any, ...]:
    """The arguments of ``adarevision``: factors, sums of gradients and of squares, and the buffers."""
    factors = [DistArray(W), DistArray(H)]
    seen = [DistArray(np.zeros_like(whole)) for whole in (W, H)]
    squares, most = ([DistArray(np.ones_like(whole)) for whole in (W, H)] for _ in range(2))
    then = [DistArrayBuffer(sums, max_delay=max_delay) for sums in seen]
    slopes = [
        DistArrayBuffer(whole, apply=Revision(rate), arrays=beside, buffers=(known,), max_delay=max_delay)
        for whole, known, *beside in zip(factors, then, squares, most, seen, strict=True)
    ]
    return *factors, *seen, *squares, *most, *slopes, *then, np.float32(decay)


class Revision:
    """AdaRevision's update of one element by a gradient and the sum of gradients that it knew (algorithm 1)."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(
        self, _key: Any, x: float, squares: float, largest: float, total: float, slope: float, then: float
    ) -> tuple[float, ...]:
        """The new element, its sum of squares, the largest that was, and the new sum of gradients."""
        missed = total - then
        before = self.rate / np.sqrt(largest)
        squares = squares + slope * slope + 2 * slope * missed
        largest = max(largest, squares)
        after = self.rate / np.sqrt(largest)
        return x - after * slope + (before - after) * missed, squares, largest, total + slope
