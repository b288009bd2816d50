"""Quotients by rows that no iteration changes, in generated code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness_orion import DistArray, DistArrayBuffer, parallel_for
from harness_orion.running.program import Program


def rows(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1, 2, shape).astype(np.float32)


def compared(body: Any, *arguments: Any) -> Program:
    """Run a body over four keys, plainly and compiled, and compare the arrays."""
    plain, given = ([DistArray(a.copy()) if isinstance(a, np.ndarray) else a for a in arguments] for _ in range(2))
    loop = parallel_for(4, ordered=True)(body)
    loop(*plain)
    program = loop.compile(*given)
    program.run()
    program.run()
    loop(*plain)
    assert program.how == "rows", program.why
    for a, b in zip(plain, given, strict=True):
        if isinstance(a, DistArray):
            assert b.values == pytest.approx(a.values, rel=1e-5)
    return program


def shares(key, val, A, B, total, mass):
    i = key[0]
    share = A[i, 1:] / (total[1:] + mass)
    B[i, 0] = share.sum()
    B[i, 1:] = share / (total[1:] + mass)


def test_a_row_that_stays_is_divided_by_once_and_for_all() -> None:
    program = compared(shares, rows(0, 4, 7), rows(1, 4, 7), rows(2, 7), np.float32(3))
    before, inside = program.source.read_text().split("for e in range")
    assert "reciprocals" in before
    assert " / " not in inside


def changed(key, val, A, B, total):
    i = key[0]
    B[i] = A[i] / total
    total[1:] = total[1:] + A[i].sum()


def of_the_key(key, val, A, B, total):
    i = key[0]
    B[i] = total / A[i]
    B[i, 0] = B[i].sum()


def of_a_number(key, val, A, B, total):
    i = key[0]
    n = val_of(i)
    B[i] = A[i].sum() / (total + n)


def val_of(i):
    return i * 2


def with_nothing_summed(key, val, A, B, total):
    B[key[0]] = A[key[0]] / total


@pytest.mark.parametrize("body", [changed, of_the_key, of_a_number, with_nothing_summed])
def test_what_an_iteration_changes_or_selects_is_divided_by_each_time(body: Any) -> None:
    program = compared(body, rows(0, 4, 7), rows(1, 4, 7), rows(2, 7))
    assert "reciprocals" not in program.source.read_text()


def test_reciprocals_follow_what_a_buffer_has_brought() -> None:
    @parallel_for(6)
    def body(key, val, A, total, changes):
        i = key[0]
        A[i] = A[i] / total
        changes[i % 3] += A[i].sum() * 0 + 1

    A, total = DistArray(np.ones((6, 3), np.float32)), DistArray(np.ones(3, np.float32))
    program = body.compile(A, total, DistArrayBuffer(total, max_delay=2), tiled=False)
    program.run()
    assert "reciprocals" in program.source.read_text()
    expected = [[1, 1, 1]] * 2 + [[1 / 2, 1 / 2, 1]] * 2 + [[1 / 3, 1 / 2, 1 / 2]] * 2
    assert A.values == pytest.approx(np.array(expected))
    assert total.values.tolist() == [3, 3, 3]
