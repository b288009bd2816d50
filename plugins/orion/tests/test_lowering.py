"""Generated code against plain Python: row expressions, types, and random loops."""

from __future__ import annotations

import ast
import math
import operator
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from randomloops import RandomLoop, loops

from harness import HarnessError
from harness_orion import Accumulator, DistArray, Entries, Loop, parallel_for
from harness_orion.compiling.compiled import CompiledRun
from harness_orion.compiling.definite import maybe_unset
from harness_orion.lowering.lower import lowered
from harness_orion.lowering.types import Unsupported
from harness_orion.running.packing import pack
from harness_orion.running.serial import run_positions, run_serial
from harness_orion.space import serial_order

EXAMPLES = 1000
TABLE = np.arange(4, dtype=np.float32)
RATE = 0.05


def test_random_loops_lowered_and_interpreted_equal_the_serial_run() -> None:
    tally: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(loops())
    def check(loop: RandomLoop) -> None:
        tally[replayed_like_serial(loop)] += 1

    check()
    assert tally["equal"] >= 0.8 * EXAMPLES
    assert not tally["not lowered"]


def replayed_like_serial(loop: RandomLoop) -> str:
    serial, found = loop.arrays(0), {n: DistArray(a) for n, a in loop.arrays(0).items()}
    failed = refused(lambda: run_serial(loop.function, loop.space, list(serial.values()), ordered=loop.ordered))
    try:
        plan = Loop(loop.function, loop.space, ordered=loop.ordered).plan(*found.values())
    except HarnessError:
        assert failed, loop.text
        return "refused"
    packed = pack(loop.space, serial_order(loop.space, ordered=loop.ordered))
    try:
        code = lowered(loop.function, plan, loop.space, packed.values, found, None)
    except Unsupported:
        return "not lowered"
    run = CompiledRun(interpreted(code.text), code.tables, tuple(found), code.types, "here")
    assert refused(lambda: run(packed, 0, len(packed), [a.values for a in found.values()])) == failed, loop.text
    if failed:
        return "failed alike"
    assert all(np.array_equal(serial[n], found[n].values) for n in serial), (loop.text, code.text)
    return "equal"


def refused(run: Any) -> bool:
    try:
        run()
    except HarnessError:
        return True
    return False


def interpreted(text: str) -> Any:
    names: dict[str, Any] = {"np": np, "math": math, "added": operator.add}
    exec(text, names)
    return names["run"]


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(loops())
def test_random_loops_compiled_on_threads_equal_the_run_of_their_order(loop: RandomLoop) -> None:
    found = loop.arrays(0)
    try:
        program = Loop(loop.function, loop.space, ordered=loop.ordered).compile(*found.values(), workers=3)
        program.run()
    except HarnessError:
        return
    assert program.how == "rows", program.why
    order = serial_order(loop.space, ordered=True) if loop.ordered else program.packed.positions
    plain = loop.arrays(0)
    run_positions(loop.function, loop.space, list(plain.values()), order)
    assert all(np.array_equal(plain[n], found[n]) for n in plain), loop.text


def agree(loop: Loop, *arrays: Any, how: str = "rows", exact: bool | None = None) -> Any:
    """Run a loop both ways over copies of some arrays."""
    mine, plain = ([np.array(a) if isinstance(a, np.ndarray) else a for a in arrays] for _ in range(2))
    program = loop.compile(*mine)
    assert program.how == how, program.why
    program.run()
    with np.errstate(over="ignore"):
        run_positions(loop.body, loop.space, plain, program.packed.positions)
    for a, b in zip(mine, plain, strict=True):
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype
            same = np.array_equal(a, b) if program.exact else np.allclose(a, b, rtol=1e-5, atol=1e-6)
            assert same, program.source.read_text() if program.source else loop
    if exact is not None:
        assert program.exact is exact
    return program


def random(*shape: int, dtype: Any = np.float32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def test_row_expressions_become_one_loop_after_the_inner_product() -> None:
    entries = Entries.of([[0, 1, 2, 0], [1, 1, 0, 2]], random(4), shape=(3, 3))

    @parallel_for(entries)
    def factorize(key, val, W, H):
        i, j = key
        w = W[i]
        h = H[j, :]
        e = val - w @ h
        step = RATE * e
        W[i] = w + step * h
        H[j, :] += step * w

    program = agree(factorize, random(3, 8), random(3, 8, seed=1), exact=False)
    text = program.source.read_text()
    assert text.count("for k in") == 2
    assert "np.empty" not in text
    assert "float64" not in text


def test_a_row_that_is_shifted_along_itself_is_worked_out_before_it_is_stored() -> None:
    @parallel_for(3)
    def shift(key, val, A):
        i = key[0]
        A[i, 1:] = A[i, :-1] + 1
        A[i, :2], A[i, 2:4] = A[i, 2:4] * 2, A[i, :2] * 3

    agree(shift, random(3, 6), exact=True)


def test_numbers_have_numpys_types() -> None:
    @parallel_for(4, ordered=True)
    def types(key, val, F, D, N, U, share):
        i = key[0]
        F[i] = F[i] * 0.1 + i * F[0] / 3 + TABLE[i]
        D[i] = F[i] * D[i] + np.sqrt(D[i] * D[i]) - share * F[i]
        N[i] = N[i] * 7 // 2 + (N[i] % 3) - D[i] * 2
        U[i] += 250
        N[-1] += U[i] > 3

    ints = np.array([2_000_000_000, -5, 7, 3], np.int32)
    agree(types, random(4), random(4, dtype=np.float64), ints, np.array([1, 9, 200, 255], np.uint8), 0.3, exact=True)


def test_reductions_and_functions_of_rows() -> None:
    @parallel_for(5)
    def reduce(key, val, A, B):
        i = key[0]
        row = A[i]
        c = row.cumsum()
        B[i, 0] = row.max() - row.min() + row.mean()
        B[i, 1] = row.argmax() + 10 * row.argmin()
        B[i, 2] = (c < 0.5 * c[-1]).sum()
        B[i, 3] = np.sqrt(np.abs(row)).sum() + np.where(row > 0, row, 0).sum()
        B[i, 4] = np.maximum(row, 0.25) @ np.minimum(row, 1)
        row[1:3].fill(2)

    agree(reduce, random(5, 9), np.zeros((5, 5)))


def pick(p, u):
    c = p.cumsum()
    return int((c < u * c[-1]).sum())


def test_helpers_branches_and_inner_loops() -> None:
    @parallel_for((4, 6))
    def mixed(key, val, A, B):
        i, j = key
        total = 0.0
        for n, x in enumerate(A[i]):
            if n == j or x < 0:
                continue
            total += x * B[j, n]
        k = pick(np.abs(A[i]), 0.5) if total > 0 else 0
        while k > 2:
            k -= 2
        B[j, k] += total

    agree(mixed, random(4, 6), random(6, 6, seed=1))


def test_what_is_not_lowered_is_compiled_as_it_stands_and_else_run_in_python_and_both_say_why() -> None:
    @parallel_for((4, 4))
    def every_other(key, val, A):
        i, j = key
        A[i, j] += A[i, j:].sum()

    @parallel_for((4, 4), ordered=True)
    def last_turn(key, val, A):
        i, j = key
        for n in range(i + 1):
            last = n
        A[i, j] += last + len(str(j))

    assert "ends are not known" in agree(every_other, random(4, 4), how="arrays").why
    assert "may have no value" in agree(last_turn, random(4, 4), how="python").why


def test_accumulators_are_summed_over_workers() -> None:
    @parallel_for((6, 5))
    def count(key, val, A, total, number, columns):
        i, j = key
        total += A[i, j]
        number += 1
        columns[j] += A[i, j]

    A = np.arange(30.0).reshape(6, 5)
    sums = Accumulator(1.0), Accumulator(0), Accumulator(np.zeros(5))
    program = count.compile(A, *sums, workers=2)
    for _ in range(2):
        program.run()
    assert program.how == "rows"
    assert [sums[0].value, sums[1].value] == [1 + 2 * A.sum(), 60]
    assert isinstance(sums[1].value, int)
    assert sums[2].value.tolist() == (2 * A.sum(axis=0)).tolist()


@pytest.mark.parametrize("dtype", [np.float16, complex])
def test_types_without_code_still_run(dtype: Any) -> None:
    @parallel_for(3)
    def double(key, val, A):
        A[key[0]] *= 2

    A = np.ones(3, dtype)
    program = double.compile(A)
    program.run()
    assert program.why
    assert A.tolist() == [2, 2, 2]


UNSET = {
    "for n in k:\n    x = n\nreturn x": "x",
    "if k:\n    x = 1\nreturn x": "x",
    "if k:\n    x = 1\nelse:\n    return 0\nreturn x": None,
    "if k:\n    x = 1\nelse:\n    x = 2\nx += 1": None,
    "x += 1": "x",
    "for n in k:\n    x = n\n    y = x": None,
    "while k:\n    if k > 1:\n        y = 1\n    k = y": "y",
    "y = [x for x in k]": None,
}


@pytest.mark.parametrize("text", UNSET)
def test_names_that_may_have_no_value_are_found(text: str) -> None:
    tree = ast.parse("def f(k):\n" + "".join(f"    {line}\n" for line in text.splitlines())).body[0]
    assert isinstance(tree, ast.FunctionDef)
    assert maybe_unset(tree) == UNSET[text]
