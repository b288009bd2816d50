"""Buffers and accumulators, and the serial loop over them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import HarnessError
from harness_orion import Accumulator, DistArray, DistArrayBuffer, Entries, Grid, parallel_for
from harness_orion.space import serial_order


def test_a_buffers_changes_reach_the_array_when_it_is_flushed() -> None:
    array = DistArray(np.arange(4.0))
    buffer = DistArrayBuffer(array)
    buffer[1] += 2.0
    buffer[1] += 3.0
    assert array.values.tolist() == [0, 1, 2, 3]
    buffer.flush()
    buffer.flush()
    assert array.values.tolist() == [0, 6, 2, 3]


def test_buffers_flushed_together_change_several_arrays_by_a_function_of_the_user() -> None:
    weights, square = DistArray(np.ones(3)), DistArray(np.zeros(3))

    def adagrad(key, weight, squared, gradient, squared_gradient):
        squared += squared_gradient
        return weight - gradient / np.sqrt(squared), squared

    squares = DistArrayBuffer(square)
    gradients = DistArrayBuffer(weights, apply=adagrad, arrays=[square], buffers=[squares])
    gradients[2] += 3.0
    squares[2] += 9.0
    gradients.flush()
    squares.flush()
    assert weights.values.tolist() == [1, 1, 0]
    assert square.values.tolist() == [0, 0, 9]


INDICES = [0, -1, (2, 1), (-2, slice(1, 3)), np.int64(3), slice(1, 3), (slice(None), 2), [0, 2], ...]


@given(st.lists(st.lists(st.sampled_from(INDICES), max_size=3), max_size=4), st.integers(0, 1))
def test_changes_that_are_noted_arrive_as_those_that_are_looked_for(rounds: list[list[Any]], first: int) -> None:
    def made() -> list[DistArrayBuffer]:
        beside = DistArrayBuffer(DistArray.zeros((4, 3)), init=1)
        return [
            DistArrayBuffer(DistArray.zeros((4, 3)), buffers=(beside,), apply=lambda _, x, a, b: 2 * x + a * b),
            beside,
        ]

    looked, noted = made(), made()
    for indices in rounds:
        for buffers in (looked, noted):
            for n, index in enumerate(indices):
                buffers[(n + first) % 2][index] += n + 2
        for n in range(2):
            looked[n].flush()
            noted[n].flush(noted=True)
        for a, b in zip(looked, noted, strict=True):
            assert a.target.values.tolist() == b.target.values.tolist()
            assert a.values.tolist() == b.values.tolist()
            assert not b.written.any()


def test_a_loop_called_with_its_arrays_is_the_plain_serial_loop() -> None:
    rng = np.random.default_rng(0)
    rows, columns, ratings = rng.integers(0, 5, 40), rng.integers(0, 4, 40), rng.random(40)

    @parallel_for(Entries.of([rows, columns], ratings, shape=(5, 4)))
    def sgd(key, val, W, H, loss):
        i, j = key
        w, h = W[i].copy(), H[j].copy()
        error = val - w @ h
        W[i] = w + 0.1 * error * h
        H[j] = h + 0.1 * error * w
        loss += error**2

    W, H, loss = DistArray(np.ones((5, 2))), DistArray(np.ones((4, 2))), Accumulator()
    sgd(W, H, loss)
    U, V, total = np.ones((5, 2)), np.ones((4, 2)), 0.0
    for i, j, r in zip(rows, columns, ratings, strict=True):
        error = r - U[i] @ V[j]
        U[i], V[j] = U[i] + 0.1 * error * V[j], V[j] + 0.1 * error * U[i]
        total += error**2
    np.testing.assert_allclose(W.values, U)
    np.testing.assert_allclose(H.values, V)
    assert loss.value == pytest.approx(total)


def test_an_ordered_sparse_loop_runs_by_key_and_equal_keys_as_stored() -> None:
    space = Entries.of([[2, 0, 2, 1], [0, 1, 0, 5]], np.arange(4))
    assert serial_order(space, ordered=True).tolist() == [1, 3, 0, 2]
    assert serial_order(space, ordered=False).tolist() == [0, 1, 2, 3]


def test_an_exception_of_the_body_names_the_key_and_the_place() -> None:
    @parallel_for((3, 3))
    def outside(key, val, A):
        A[key[0] + key[1]] = 1

    with pytest.raises(HarnessError, match=r"test_arrays\.py:\d+: at key \(1, 2\): IndexError"):
        outside(np.zeros(3))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: DistArray(3.0), "at least one dimension"),
        (lambda: DistArray(np.array([None])), "numbers, not object"),
        (lambda: DistArrayBuffer(DistArray(np.zeros(3)), max_delay=0), "max_delay"),
        (lambda: DistArrayBuffer(DistArray(np.zeros(3)), arrays=[DistArray(np.zeros(4))]), "one shape"),
        (lambda: Grid((3, 0)), "none of them empty"),
        (lambda: Grid((3,), (1, 1)), "differ in their number of dimensions"),
        (lambda: Grid((3,), values=np.zeros(4)), "the space needs"),
        (lambda: Entries.of([[1, 2], [0]], [1.0, 2.0]), "of one length"),
        (lambda: Entries.of([[]], []), "without entries"),
        (lambda: Entries.of([[1, 2]], [1.0]), "2 indices and 1 values"),
        (lambda: Entries.of([[1, 2]], [1.0, 1.0], shape=(2,)), "beyond the shape"),
        (lambda: Entries.of([[1, -2]], [1.0, 1.0]), "counted from 0"),
        (lambda: parallel_for("rows")(lambda key, val: None).space, "no iteration space: str"),
    ],
)
def test_bad_input_is_refused_in_a_line(make, said: str) -> None:
    with pytest.raises(HarnessError, match=said) as caught:
        make()
    assert "\n" not in str(caught.value)
