"""Kernels as one writes them by hand for a block of ratings or tokens: scalar loops, float32, no interpreter lock."""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
import numpy as np

Kernel = Any
_compiled = numba.njit(nogil=True, fastmath=True, boundscheck=False)


@cache
def sgd(rank: int) -> Kernel:
    """Plain SGD; the rank is a constant to the compiler."""

    @_compiled
    def run(rows, columns, values, start, stop, W, H, rate, decay):  # type: ignore[no-untyped-def]
        for n in range(start, stop):
            i, j = rows[n], columns[n]
            e = values[n]
            for k in range(rank):
                e -= W[i, k] * H[j, k]
            for k in range(rank):
                w, h = W[i, k], H[j, k]
                W[i, k] = w + rate * (e * h - decay * w)
                H[j, k] = h + rate * (e * w - decay * h)

    return run


@cache
def adagrad(leading: int, others: int) -> Kernel:
    """LIBMF's two rates."""
    one = np.float32(1)
    share, other_share = np.float32(1 / leading), np.float32(1 / others)

    @_compiled
    def run(  # type: ignore[no-untyped-def]
        rows, columns, values, start, stop, W, H, W_sums, H_sums, U, V, U_sums, V_sums, late, rate, decay
    ):
        for n in range(start, stop):
            i, j = rows[n], columns[n]
            e = values[n]
            for k in range(leading):
                e -= W[i, k] * H[j, k]
            for k in range(others):
                e -= U[i, k] * V[j, k]
            w_rate, h_rate = rate * one / np.sqrt(W_sums[i]), rate * one / np.sqrt(H_sums[j])
            w_sum, h_sum = np.float32(0), np.float32(0)
            for k in range(leading):
                w, h = W[i, k], H[j, k]
                w_slope, h_slope = decay * w - e * h, decay * h - e * w
                w_sum += w_slope * w_slope
                h_sum += h_slope * h_slope
                W[i, k] = w - w_rate * w_slope
                H[j, k] = h - h_rate * h_slope
            W_sums[i] += w_sum * share
            H_sums[j] += h_sum * share
            if late[0] > 0:
                w_rate, h_rate = rate * one / np.sqrt(U_sums[i]), rate * one / np.sqrt(V_sums[j])
                w_sum, h_sum = np.float32(0), np.float32(0)
                for k in range(others):
                    w, h = U[i, k], V[j, k]
                    w_slope, h_slope = decay * w - e * h, decay * h - e * w
                    w_sum += w_slope * w_slope
                    h_sum += h_slope * h_slope
                    U[i, k] = w - w_rate * w_slope
                    V[j, k] = h - h_rate * h_slope
                U_sums[i] += w_sum * other_share
                V_sums[j] += h_sum * other_share

    return run


@cache
def gibbs(topics: int) -> Kernel:
    """Collapsed Gibbs sampling; ``totals`` are the worker's own.

    It divides by the two totals that change alone, and looks for a topic among groups of eight before it looks in one.
    """
    one, groups = np.float32(1), -(-topics // 8)

    @_compiled
    def run(rows, columns, values, start, stop, documents, words, totals, alpha, beta, mass):  # type: ignore[no-untyped-def]
        weights, parts, shares = np.zeros(groups * 8, np.float32), np.empty(groups, np.float32), one / (totals + mass)
        for n in range(start, stop):
            d, w = rows[n], columns[n]
            old = values[n, 0]
            documents[d, old] -= one
            words[w, old] -= one
            totals[old] -= one
            shares[old] = one / (totals[old] + mass)
            for k in range(topics):
                weights[k] = (documents[d, k] + alpha) * (words[w, k] + beta) * shares[k]
            left = np.float32(0)
            for g in range(groups):
                parts[g] = np.float32(0)
                for k in range(8):
                    parts[g] += weights[8 * g + k]
                left += parts[g]
            values[n, 1] = values[n, 1] * 16807 % 2147483647
            left *= np.float32(values[n, 1] / 2147483647)
            g = 0
            while left > parts[g] and g < groups - 1:
                left -= parts[g]
                g += 1
            new = 8 * g
            left -= weights[new]
            while left > 0 and new < topics - 1:
                new += 1
                left -= weights[new]
            values[n, 0] = new
            documents[d, new] += one
            words[w, new] += one
            totals[new] += one
            shares[new] = one / (totals[new] + mass)

    return run
