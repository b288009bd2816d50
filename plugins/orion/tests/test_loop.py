"""Loops over real arrays: what is shared, out of range or of the wrong kind is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from harness import HarnessError
from harness_orion import Accumulator, DistArray, DistArrayBuffer, Entries, parallel_for
from harness_orion.analysis.plan import Where
from harness_orion.audit.clashes import clashes, unsound
from harness_orion.audit.touching import touched

SPACE = (4, 3)
TABLE = np.arange(4.0)


@parallel_for(SPACE)
def add(key, val, A, B):
    i, j = key
    A[i, j] = B[i, j] + TABLE[i]


@parallel_for(SPACE, ordered=True)
def shifted(key, val, A):
    i, j = key
    A[i, j] = A[i + 1, j]


def refusal(loop, *arrays) -> str:
    with pytest.raises(HarnessError) as caught:
        loop.plan(*arrays)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_arrays_that_share_memory_are_refused() -> None:
    base = np.zeros((8, 3))
    assert "A and B share memory" in refusal(add, base[:4], base[3:7])
    assert add.plan(base[:4], base[4:]).strategy == "independent"
    assert add.plan(base[::2], base[1::2]).strategy == "independent"
    assert "TABLE" in refusal(add, np.lib.stride_tricks.as_strided(TABLE, (4, 1), (8, 8)), np.zeros((4, 1)))


def test_an_array_whose_elements_share_memory_is_refused() -> None:
    assert "elements of B share memory" in refusal(add, np.zeros(SPACE), np.broadcast_to(np.zeros(3), SPACE))


def test_a_subscript_that_leaves_its_array_is_refused_where_it_stands() -> None:
    said = refusal(shifted, np.zeros(SPACE))
    assert "test_loop.py:29:15: A[i + 1, j]: i + 1 runs from 1 to 4, but axis 0 of A has 4" in said


def test_arguments_of_the_wrong_number_or_kind_are_refused() -> None:
    assert "add takes A, B; 1 given" in refusal(add, np.zeros(SPACE))
    assert "B is of type str" in refusal(add, np.zeros(SPACE), "B")


def test_a_buffer_of_an_array_that_the_loop_is_not_given_is_refused() -> None:
    assert "pass it too" in refusal(add, np.zeros(SPACE), DistArrayBuffer(DistArray(np.zeros(SPACE))))


def test_an_array_that_the_loop_runs_over_may_also_be_an_argument() -> None:
    values = DistArray(np.ones(4))

    @parallel_for(values, ordered=True)
    def running(key, val, A):
        i = key[0]
        if i < 3:
            A[i + 1] += val

    assert running.plan(values).strategy == "serial"
    running(values)
    assert values.values.tolist() == [1, 2, 3, 4]


def test_a_change_of_val_that_entries_may_share_is_refused() -> None:
    shared: list[int] = [0]

    @parallel_for(Entries.of([[0, 1]], [shared, shared]))
    def change(key, val):
        val[0] = 1

    assert "val is changed, and entries may share it" in refusal(change)


def test_equal_keys_stay_in_one_block() -> None:
    entries = Entries.of([[0, 0, 1, 1], [2, 2, 0, 0]], np.arange(4.0), shape=SPACE)

    @parallel_for(entries)
    def count(key, val, A):
        A[key] += val

    plan = count.plan(np.zeros(SPACE))
    assert plan.strategy == "independent"
    assert not plan.concurrent((0, 2), (0, 2))


def test_an_independent_loop_keeps_the_partition_that_its_space_has() -> None:
    plan = add.plan(np.zeros(SPACE), np.zeros(SPACE), reuse=(0, 1))
    assert (plan.strategy, plan.space_dim, plan.time_dim) == ("independent", 0, 1)


def test_a_plan_can_be_sent_to_another_process() -> None:
    plan = add.plan(np.zeros(SPACE), np.zeros(SPACE))
    assert pickle.loads(pickle.dumps(plan)) == plan


def test_a_race_for_one_element_is_let_be_and_a_race_for_two_is_not() -> None:
    @parallel_for(8)
    def one(key, val, A):
        A[0] = key[0]

    @parallel_for(8)
    def two(key, val, A):
        A[0] = key[0]
        A[1] = key[0]

    @parallel_for(8, ordered=True)
    def last(key, val, A):
        A[0] = key[0]

    assert one.plan(np.zeros(2)).strategy == "independent"
    assert two.plan(np.zeros(2)).strategy == "serial"
    assert last.plan(np.zeros(2)).strategy == "serial"
    assert one.plan(np.zeros(2, complex)).strategy == "serial"


def test_an_accumulator_makes_no_dependence_and_is_named() -> None:
    @parallel_for(SPACE)
    def total(key, val, A, sums):
        sums[key[1]] += A[key]

    sums = Accumulator(np.zeros(3))
    plan = total.plan(np.ones(SPACE), sums)
    assert (plan.strategy, plan.body.accumulators) == ("independent", ("sums",))
    total(np.ones(SPACE), sums)
    assert sums.value.tolist() == [4, 4, 4]


def test_a_three_dimensional_ordered_loop_is_not_run_by_a_wavefront_that_would_go_back() -> None:
    @parallel_for((3, 3, 3), ordered=True)
    def back(key, val, A):
        i, j, k = key
        A[i + 1, j, k] = A[i, j, k + 1]

    plan = back.plan(np.zeros((4, 3, 4)))
    assert not plan.concurrent((0, 0, 1), (1, 0, 0))
    assert plan.strategy == "1d"

    @parallel_for((3, 3, 3), ordered=True)
    def both(key, val, A, B):
        i, j, k = key
        A[i + 1, j, k] = A[i, j, k + 1]
        B[j] = B[j] + A[i, j, k]
        B[j] = B[2 - j]

    kept = both.plan(np.zeros((4, 3, 4)), np.zeros(3))
    assert (kept.strategy, kept.space_dim, kept.time_dim) != ("2d", 1, 2)


def test_read_only_arrays_are_copied_and_written_ones_served() -> None:
    @parallel_for(SPACE)
    def mixed(key, val, A, B, C):
        i, j = key
        A[i, j] = B[j, 0] + C[0]

    plan = mixed.plan(np.zeros(SPACE), np.zeros((3, 2)), np.zeros(1))
    assert plan.space_dim == 1
    assert [plan.placement(n).where for n in "ABC"] == [Where.SPACE, Where.SPACE, Where.REPLICATED]


@pytest.mark.parametrize("mode", ["paper", "exact"])
def test_a_negative_subscript_counts_from_the_end(mode: str) -> None:
    @parallel_for(SPACE)
    def last(key, val, A):
        i, j = key
        A[-1, i] = A[3, j]

    @parallel_for(SPACE)
    def other(key, val, A):
        i, j = key
        A[-1, i] += A[2, j]

    plan = last.plan(np.zeros((4, 4)), mode=mode)
    real = clashes(touched(last.body, last.space, {"A": np.zeros((4, 4))}, ordered=False))
    assert any(not clash.only_writes for clash in real)
    assert not unsound(plan, last.space, real, workers=4)
    assert not other.plan(np.zeros((4, 4)), mode="exact").concurrent((0, 0), (0, 1))
    assert other.plan(np.zeros((4, 4)), mode="exact").strategy == "1d"


def test_an_array_is_divided_only_if_every_access_follows_one_index() -> None:
    @parallel_for((4, 4))
    def crossed(key, val, A, B, C):
        i, j = key
        A[i, j] = B[i, 0] + B[0, j] + C[j, i + 0]

    plan = crossed.plan(*(np.zeros((4, 4)) for _ in range(3)))
    axes = {p.array: (p.where, p.axis) for p in plan.placements}
    assert axes["B"] == (Where.REPLICATED, None)
    assert axes["A"] == (Where.SPACE, plan.space_dim)
    assert axes["C"] == (Where.SPACE, 1 - (plan.space_dim or 0))


def test_an_array_longer_than_the_loop_is_divided_all_the_same() -> None:
    assert add.plan(np.zeros((9, 3)), np.zeros(SPACE)).placement("A").axis is not None
