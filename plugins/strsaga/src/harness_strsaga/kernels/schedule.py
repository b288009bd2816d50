"""Which point each step visits: all that tells STRSAGA, DYNASAGA and SAGA apart.

No schedule looks at the model, so the order of a whole arrival is worked out ahead of its steps.
A point enters the table by being visited: the table is a prefix of the points in arrival order.
"""

from __future__ import annotations

from typing import NamedTuple

from harness_strsaga.kernels.compiled import Floats, Indices, Words, compiled
from harness_strsaga.kernels.randomness import below


class Plan(NamedTuple):
    """Steps to come, each array (steps,): the point visited, the table's size m before it, the step size eta."""

    order: Indices
    sizes: Indices
    rates: Floats


@compiled
def strsaga_order(state: Words, taken: int, arrived: int, order: Indices, sizes: Indices) -> int:
    """Take a new point at every second step while there is one, else an old one; return T.

    Jothimurugesan et al. 2018, Algorithm 1. ``taken`` is T, the size of the effective sample set.
    """
    for s in range(len(order)):
        sizes[s] = max(taken, 1)
        if s % 2 == 0 and taken < arrived:
            order[s] = taken
            taken += 1
        else:
            order[s] = below(state, taken)
    return taken


@compiled
def dynasaga_order(state: Words, arrived: int, order: Indices, sizes: Indices) -> int:
    """Sample among m points, and let m grow by one when step t > 2m; return m.

    Daneshmand et al. 2016, "Starting Small: Learning with Adaptive Sample Sizes".
    """
    m = 1
    for t in range(len(order)):
        if t > 2 * m and m < arrived:
            m += 1
        order[t] = below(state, m)
        sizes[t] = m
    return m
