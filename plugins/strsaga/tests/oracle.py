"""The algorithms as their papers state them: plain NumPy, whole gradient vectors, sums taken afresh at each step.

Nothing here is shared with the kernels but the numbers: a table row is the whole gradient of a point's
loss, its mean is taken over the rows, and random words come from Python's integers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from harness_strsaga.stream import Dense, Pairs, Sparse, Stream

MASK = 2**64 - 1


class SplitMix:
    """SplitMix64, and Lemire's bounded integers."""

    def __init__(self, seed: int) -> None:
        self.state = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])

    def word(self) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, count: int) -> int:
        while True:
            product = (self.word() >> 32) * count
            if product % 2**32 >= 2**32 % count:
                return product >> 32


def row(points: Dense | Sparse, j: int) -> np.ndarray[Any, Any]:
    if isinstance(points, Dense):
        return points.rows[j]
    found = np.zeros(points.dimension)
    span = slice(points.starts[j], points.starts[j + 1])
    np.add.at(found, points.columns[span], points.values[span])
    return found


def gradient(stream: Stream, w: np.ndarray[Any, Any], j: int) -> np.ndarray[Any, Any]:
    """The gradient of point j's loss, L2 left out."""
    points, y = stream.points, stream.targets[j]
    if isinstance(points, Pairs):
        factors = w.reshape(-1, stream.rank)
        user, item = points.users[j], points.user_count + points.items[j]
        found = np.zeros_like(factors)
        e = factors[user] @ factors[item] - y
        found[user], found[item] = e * factors[item], e * factors[user]
        return found.ravel()
    x = row(points, j)
    z = x @ w
    return (-y / (1 + math.exp(y * z)) if stream.loss == "logistic" else z - y) * x


class Table:
    """SAGA: a stored gradient a point."""

    def __init__(self, stream: Stream, start: np.ndarray[Any, Any]) -> None:
        self.stream = stream
        self.w = start.copy()
        self.rows = np.zeros((len(stream.points), len(start)))

    def step(self, j: int, m: int, eta: float) -> None:
        g = gradient(self.stream, self.w, j)
        self.w = (1 - eta * self.stream.mu) * self.w - eta * (g - self.rows[j] + self.rows.sum(axis=0) / m)
        self.rows[j] = g


def strsaga_loop(table: Table, random: SplitMix, T: int, S: int, steps: int, eta: float) -> int:
    for s in range(steps):
        j, new = (T, True) if s % 2 == 0 and T < S else (random.below(T), False)
        table.step(j, max(T, 1), eta)
        T += new
    return T


def strsaga(stream: Stream, start: Any, *, rate: float, rho: int, seed: int) -> Iterator[Any]:
    table, random, T = Table(stream, start), SplitMix(seed), 0
    for S in stream.arrived:
        if S:
            T = strsaga_loop(table, random, T, S, rho, rate)
        yield table.w


def dynasaga(stream: Stream, start: Any, *, rate: float, rho: int, seed: int) -> Iterator[Any]:
    for i, S in enumerate(stream.arrived, 1):
        table = Table(stream, start)
        if S:
            strsaga_loop(table, SplitMix(seed), 0, S, rho * i, rate)
        yield table.w


def daneshmand(stream: Stream, start: Any, *, rate: float | None, rho: int, seed: int) -> Iterator[Any]:
    for i, S in enumerate(stream.arrived, 1):
        table, random, m = Table(stream, start), SplitMix(seed), 1
        for t in range(rho * i if S else 0):
            if t > 2 * m and m < S:
                m += 1
            eta = rate or 0.3 / (smoothness(stream, S) + m * stream.mu)
            table.step(random.below(m), m, eta)
        yield table.w


def smoothness(stream: Stream, S: int) -> float:
    squares = [float(row(stream.points, j) @ row(stream.points, j)) for j in range(S)]
    return max(squares) * (0.25 if stream.loss == "logistic" else 1)


def saga(stream: Stream, start: Any, *, rate: float, rho: int, seed: int, whole: bool = False) -> Iterator[Any]:
    table, random = Table(stream, start), SplitMix(seed)
    for S in stream.arrived:
        count = len(stream.points) if whole else S
        for _ in range(rho if S else 0):
            table.step(random.below(count), count, rate)
        yield table.w


def sgd(
    stream: Stream, start: Any, *, rate: float, rho: int, seed: int, decay: float = 0.0, single_pass: bool = False
) -> Iterator[Any]:
    w, random, t, before = start.copy(), SplitMix(seed), 0, 0
    for S in stream.arrived:
        newest = list(range(max(before, S - rho), S))
        for s in range((len(newest) if single_pass else rho) if S else 0):
            j = newest[s] if single_pass else random.below(S)
            eta = rate / (1 + decay * t)
            w = w - eta * (gradient(stream, w, j) + stream.mu * w)
            t += 1
        before = S
        yield w


def ssvrg(
    stream: Stream, start: Any, *, rate: float, rho: int, seed: int, anchors: int, growth: float, inner: int
) -> Iterator[Any]:
    """One gradient at a time; a step whose second gradient falls after the arrival's end waits for it."""
    w, random, k = start.copy(), SplitMix(seed), anchors
    taken, budget, summed, left = 0, 0, 0, 0
    anchor, total = w, np.zeros_like(w)

    def fresh(S: int) -> int:
        nonlocal taken
        if taken < S:
            taken += 1
            return taken - 1
        return random.below(S)

    for S in stream.arrived:
        budget += rho if S else 0
        while budget >= 1 + (left > 0):
            if left:
                budget, j = budget - 2, fresh(S)
                step = gradient(stream, w, j) - gradient(stream, anchor, j) + total / k
                w = w - rate * (step + stream.mu * w)
                left -= 1
                if not left:
                    k, summed = math.ceil(k * growth), 0
                continue
            if summed == 0:
                anchor, total = w, np.zeros_like(w)
            budget, total, summed = budget - 1, total + gradient(stream, anchor, fresh(S)), summed + 1
            if summed == k:
                left = 1 + random.below(inner)
        yield w
