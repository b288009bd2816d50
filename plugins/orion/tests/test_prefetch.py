"""The rows that a slice of a loop foretells against those that the loop touches."""

from __future__ import annotations

from collections import Counter

import distloops
import numpy as np
from distloops import Case
from hypothesis import HealthCheck, given, reject, settings
from randomloops import RandomLoop, loops

from harness_orion import DistArray, DistArrayBuffer, Grid, Loop
from harness_orion.audit.touching import touched
from harness_orion.ranks.prefetch import Prefetch
from harness_orion.ranks.server import Table, tables_of
from harness_orion.reading.accesses import ArrayFacts
from harness_orion.reading.frontend import read_body
from harness_orion.running.packing import pack

OFFSET = np.array([3, 1, 4, 1, 5])


def foretold(case: Case, start: int, stop: int) -> dict[str, list[int]]:
    loop, arguments = case
    plan = loop.plan(*arguments)
    ahead = Prefetch(loop.body, plan.body, dict(zip(plan.body.arguments, arguments, strict=True)), tables_of(plan))
    packed = pack(loop.space, np.arange(len(loop.space)))
    return {n: rows.tolist() for n, rows in ahead.rows(packed, start, stop).items()}


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(loops())
def test_no_row_that_a_random_loop_touches_is_missing(loop: RandomLoop) -> None:
    try:
        found = touched(loop.function, loop.space, loop.arrays(0), ordered=False)
    except IndexError:
        reject()
    arrays = loop.arrays(0)
    facts = {name: ArrayFacts(values.shape) for name, values in arrays.items()}
    body = read_body(loop.function, ndim=len(loop.space.shape), arguments=facts)
    tables = {name: Table(name, loop.shape, axes=2) for name in "AB"}
    ahead = Prefetch(loop.function, body, arrays, tables)
    packed = pack(loop.space, np.arange(len(loop.space)))
    for n, (_, seen) in enumerate(found):
        rows = ahead.rows(packed, n, n + 1)
        for name, element in seen.reads | seen.writes:
            assert name == "P" or element in rows[name], loop.text


def test_subscripts_that_come_from_arrays_which_are_only_read_are_foretold() -> None:
    loop, (weights, places, buffer) = distloops.regression()
    assert foretold((loop, [weights, places, buffer]), 4, 7) == {"weights": np.unique(places.values[4:7]).tolist()}


def follow(key, val, A, B, B_buf):
    i = key[0]
    n = int(A[i])
    B_buf[i] += B[n] + B[OFFSET[i]]


def choose(key, val, A, B, B_buf):
    i = key[0]
    if A[i] > 0:
        B_buf[0] += B[i]
    else:
        B_buf[0] += B[i + 1]
    A[i] = 0.0


def leave(key, val, A, B, B_buf):
    i = key[0]
    for n in range(3):
        if A[i] > 2.0:
            break
        B_buf[i] += B[n]
    A[i] = 0.0


def shift(key, val, A, B, B_buf):
    i = key[0]
    place = np.zeros(1, np.int64)
    other = place
    other[0] = A[i]
    B_buf[i] += B[place[0]]
    A[i] = 0.0


def on_five(body) -> Case:
    A, B = DistArray(np.ones(5)), DistArray(np.ones(6))
    return Loop(body, Grid((5,))), [A, B, DistArrayBuffer(B)]


def test_a_subscript_that_is_itself_fetched_makes_its_array_needed_whole() -> None:
    A, B = DistArray(np.ones(5)), DistArray(np.ones(6))
    loop = Loop(follow, Grid((5,)))
    assert foretold((loop, [A, B, DistArrayBuffer(B)]), 0, 1)["B"] == [1, 3]
    for body in (shift, leave):
        assert foretold(on_five(body), 0, 1)["B"] == list(range(6)), body


def test_both_arms_of_an_undecided_branch_are_foretold() -> None:
    assert foretold(on_five(choose), 2, 4)["B"] == [2, 3, 4]


def test_the_rows_of_a_stretch_are_those_of_its_iterations() -> None:
    case = distloops.relaxation()
    alone = Counter(row for n in range(10, 30) for row in foretold(case, n, n + 1)["A"])
    assert foretold(case, 10, 30)["A"] == sorted(alone)
    assert foretold(case, 10, 10)["A"] == []
