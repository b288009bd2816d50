"""Loops for the distributed runtime: the space and the arguments of each, made alike on every rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness_orion import Accumulator, DistArray, DistArrayBuffer, Entries, Grid, Loop

Case = tuple[Loop, list[Any]]


def factorize(key, val, W, H, loss):
    i, j = key
    w = W[i, :]
    h = H[j, :]
    e = val - w @ h
    loss += e * e
    W[i, :] = w + 0.05 * e * h
    H[j, :] = h + 0.05 * e * w


def factorize_columns(key, val, W, H):
    i, j = key
    e = val
    for k in range(3):
        e -= W[i, k] * H[k, j]
    for k in range(3):
        w = W[i, k]
        W[i, k] = w + 0.05 * e * H[k, j]
        H[k, j] += 0.05 * e * w


def relax(key, val, A):
    i, j = key
    A[i, j] = 0.25 * (A[i - 1, j] + A[i + 1, j] + A[i, j - 1] + A[i, j + 1])


def relax_nine(key, val, A):
    i, j = key
    A[i, j] = 0.2 * (A[i - 1, j - 1] + A[i - 1, j] + A[i - 1, j + 1] + A[i, j - 1] + A[i, j])


def add(key, val, A, B):
    i, j = key
    A[i, j] = B[i, j] + 1.0


def chain(key, val, A):
    i = key[0]
    A[i + 1] = A[i] * 0.5 + val


def scatter(key, val, table, sums):
    i, j = key
    sums[i] += table[j] * val


def regress(key, val, weights, places, weights_buf):
    i = key[0]
    s = 0.0
    for n in range(3):
        s += weights[places[i, n]]
    for n in range(3):
        weights_buf[places[i, n]] -= 0.1 * (s - val)


def adapt(key, val, weights, squares, places, weights_buf, squares_buf):
    i = key[0]
    f = places[i]
    g = weights[f] - val
    weights_buf[f] += g
    squares_buf[f] += g * g


def by_rate(key, weight, square, change, squared):
    return weight - 0.1 * change / (1.0 + square + squared), square + squared


def ratings(seed: int, shape: tuple[int, int], count: int) -> Entries:
    random = np.random.default_rng(seed)
    cells = random.choice(shape[0] * shape[1], count, replace=False)
    # Some rows have far more entries than others.
    return Entries.of(np.unravel_index(np.sort(cells), shape), random.standard_normal(count), shape=shape)


def random(seed: int, *shape: int) -> DistArray:
    return DistArray(np.random.default_rng(seed).standard_normal(shape))


def factorization(ordered: bool = False, shape: tuple[int, int] = (12, 9), count: int = 60) -> Case:
    space = ratings(1, shape, count)
    return Loop(factorize, space, ordered=ordered), [random(2, shape[0], 4), random(3, shape[1], 4), Accumulator(0.0)]


def columns() -> Case:
    return columns_of((12, 9))


def columns_of(shape: tuple[int, int]) -> Case:
    return Loop(factorize_columns, ratings(1, shape, 60)), [random(2, shape[0], 3), random(3, 3, shape[1])]


def power_law() -> Case:
    """Most entries under the first indices of either dimension."""
    random_ = np.random.default_rng(14)
    indices = [np.minimum(random_.pareto(1.0, 2000) * 5, 399).astype(int) for _ in range(2)]
    space = Entries.of(indices, random_.standard_normal(2000), shape=(400, 400))
    return Loop(factorize_columns, space), [random(2, 400, 3), random(3, 3, 400)]


def mark(key, val, total):
    i = key[0]
    val[0] += i
    total[i] += val[0]


def marking() -> Case:
    """A loop that changes the values of its space: after two passes each total is three times its index."""
    space = Entries.of([np.arange(10)], np.zeros((10, 1)))
    return Loop(mark, space), [DistArray.zeros((10,))]


def unsendable() -> Case:
    loop, (W, H, _) = factorization()
    return loop, [W, H, Accumulator(object())]


def relaxation() -> Case:
    return Loop(relax, Grid((7, 8), (1, 1)), ordered=True), [random(4, 9, 10)]


def skewed() -> Case:
    return Loop(relax_nine, Grid((6, 6), (1, 1)), ordered=True), [random(4, 8, 8)]


def sum_of_arrays() -> Case:
    return Loop(add, Grid((5, 6))), [random(5, 5, 6), random(6, 5, 6)]


def recurrence() -> Case:
    return Loop(chain, Grid((9,), values=np.arange(9.0)), ordered=True), [random(7, 10)]


def sums_of_rows() -> Case:
    return Loop(scatter, ratings(1, (12, 9), 60)), [random(8, 9), random(9, 12)]


def regression(max_delay: int | None = None) -> Case:
    random_ = np.random.default_rng(10)
    weights = random(11, 20)
    buffer = DistArrayBuffer(weights, max_delay=max_delay)
    space = Grid((30,), values=random_.standard_normal(30))
    return Loop(regress, space), [weights, DistArray(random_.integers(0, 20, (30, 3))), buffer]


def adaptive(max_delay: int | None = None) -> Case:
    random_ = np.random.default_rng(12)
    weights, squares = random(13, 10), DistArray.zeros((10,))
    beside = DistArrayBuffer(squares)
    buffer = DistArrayBuffer(weights, apply=by_rate, arrays=[squares], buffers=[beside], max_delay=max_delay)
    places = DistArray(random_.integers(0, 10, 24))
    return Loop(adapt, Grid((24,), values=random_.standard_normal(24))), [weights, squares, places, buffer, beside]
