"""Uniform indices from a generator whose whole state is one word: SplitMix64 (Steele et al., OOPSLA 2014).

Kernels draw inside their loops, and two learners with one seed draw alike. Bounded integers are
Lemire's (ACM TOMACS 2019): a multiplication, and a redraw in the rare case that would be biased.
"""

from __future__ import annotations

import numpy as np

from harness_strsaga.kernels.compiled import Indices, Words, compiled

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX1 = np.uint64(0xBF58476D1CE4E5B9)
MIX2 = np.uint64(0x94D049BB133111EB)
LOW = np.uint64(0xFFFFFFFF)
U27, U30, U31, U32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)


def seeded(seed: int) -> Words:
    """A generator's state, (1,)."""
    return np.random.SeedSequence(seed).generate_state(1, np.uint64).astype(np.uint64)


@compiled
def word(state: Words) -> np.uint64:
    """The next 64 random bits."""
    state[0] += GOLDEN
    z = state[0]
    z = (z ^ (z >> U30)) * MIX1
    z = (z ^ (z >> U27)) * MIX2
    return np.uint64(z ^ (z >> U31))


@compiled
def below(state: Words, count: int) -> int:
    """A uniform integer in 0..count-1; ``count`` is positive and below 2**32."""
    bound = np.uint64(count)
    product = (word(state) >> U32) * bound
    if product & LOW < bound:
        biased = (LOW + np.uint64(1) - bound) % bound
        while product & LOW < biased:
            product = (word(state) >> U32) * bound
    return np.int64(product >> U32)  # type: ignore[return-value]


@compiled
def uniform_order(state: Words, count: int, order: Indices) -> None:
    """Fill ``order`` with uniform indices below ``count``."""
    for s in range(len(order)):
        order[s] = below(state, count)
