"""How many points arrive at each time step: int64 counts, nonnegative, that sum to n exactly.

A random process that draws each step on its own would stop short of n or overshoot it. Here the
counts are drawn given their sum, so that there is no tail to handle: independent Poisson counts
given their sum are multinomial with equal chances, and the other patterns are built on that.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness import HarnessError

Pattern = Literal["constant", "poisson", "skewed", "bursts", "own"]
Counts = NDArray[np.int64]

BURST_EXPONENT = 1.5  # of the Pareto law: the mean burst is finite, its variance is not


def constant(n: int, steps: int) -> Counts:
    """Equally many points at each step; where n / steps is no whole number, its floor or ceiling."""
    return np.diff(np.arange(steps + 1, dtype=np.int64) * n // steps)


def poisson(n: int, steps: int, rng: np.random.Generator) -> Counts:
    """Independent Poisson(n / steps) counts, given that they sum to n."""
    return rng.multinomial(n, np.full(steps, 1 / steps)).astype(np.int64)


def skewed(n: int, steps: int, skew: int) -> Counts:
    """What arrives at a constant rate in ``skew`` steps comes at the first of them, and then nothing."""
    counts = np.zeros(steps, np.int64)
    starts = np.arange(0, steps, skew)
    counts[starts] = np.add.reduceat(constant(n, steps), starts)
    return counts


def bursts(n: int, steps: int, rng: np.random.Generator) -> Counts:
    """Poisson counts whose rates are drawn for each step from a power law with exponent ``BURST_EXPONENT``."""
    rates = 1 + rng.pareto(BURST_EXPONENT, steps)
    return rng.multinomial(n, rates / rates.sum()).astype(np.int64)


def own(times: NDArray[np.float64], steps: int) -> Counts:
    """Points by their own times (in any unit), the span from the first to the last cut into equal steps."""
    return np.histogram(times, bins=steps)[0].astype(np.int64)


def counts(
    pattern: Pattern, n: int, steps: int, *, skew: int, rng: np.random.Generator, times: NDArray[np.float64] | None
) -> Counts:
    """The counts of a pattern by name; ``own`` needs the points' times."""
    if pattern == "own":
        if times is None:
            raise HarnessError("the data have no times of their own", where="arrivals = 'own'")
        return own(times, steps)
    if pattern == "constant":
        return constant(n, steps)
    if pattern == "skewed":
        return skewed(n, steps, skew)
    return (poisson if pattern == "poisson" else bursts)(n, steps, rng)
