"""Programs: threads against the serial run, buffers, parts of arrays, and what they refuse."""

from __future__ import annotations

import re
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from harness import HarnessError
from harness_orion import Accumulator, DistArray, DistArrayBuffer, Entries, Grid, Loop, parallel_for
from harness_orion.analysis.scheduling import schedule
from harness_orion.compiling.views import own
from harness_orion.running.packing import pack
from harness_orion.running.serial import run_positions, run_serial
from harness_orion.running.threads import run_steps, steps_of

RATE = 0.05


def ratings(count: int = 4000, shape: tuple[int, int] = (90, 70)) -> Entries:
    rng = np.random.default_rng(0)
    return Entries.of(
        [rng.integers(0, n, count) for n in shape], rng.normal(size=count).astype(np.float32), shape=shape
    )


def factorize(key, val, W, H):
    i, j = key
    w = W[i]
    h = H[j]
    e = val - w @ h
    W[i] = w + RATE * e * h
    H[j] = h + RATE * e * w


def factors(shape: tuple[int, int] = (90, 70), rank: int = 8) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [(rng.normal(size=(n, rank)) / 4).astype(np.float32) for n in shape]


@pytest.mark.parametrize(("workers", "blocks"), [(1, 1), (2, 1), (3, 1), (2, 3)])
def test_threads_equal_the_serial_run_of_their_order_bit_for_bit(workers: int, blocks: int) -> None:
    arrays, serial = factors(), factors()
    program = Loop(factorize, ratings()).compile(*arrays, workers=workers, blocks=blocks)
    assert len(program.steps) == (workers * blocks) ** 2
    assert (program.how, program.plan.strategy) == ("rows", "2d")
    assert sorted(program.packed.positions) == list(range(4000))
    for _ in range(3):
        program.run()
        program.kernel(program.packed, 0, 4000, serial)
    assert all(np.array_equal(a, b) for a, b in zip(arrays, serial, strict=True))


@pytest.mark.parametrize("seed", [None, 4])
def test_blocks_of_a_clock_share_neither_rows_nor_columns_and_each_entry_is_in_one(seed: int | None) -> None:
    space = ratings()
    plan = Loop(factorize, space).plan(*factors())
    seen = []
    for clock in schedule(plan, space, 2, balanced=True, blocks=3, seed=seed):
        assert {block.worker for block in clock} == {0, 1}
        for index in space.indices:
            touched = [set(index[block.positions]) for block in clock]
            assert sum(map(len, touched)) == len(set().union(*touched))
        seen += [n for block in clock for n in block.positions]
    assert sorted(seen) == list(range(len(space)))


def test_what_the_key_selects_of_large_arrays_is_fetched_ahead_and_changes_no_result() -> None:
    space, arrays, serial = ratings(shape=(2000, 70)), factors((2000, 70), 16), factors((2000, 70), 16)
    program = Loop(factorize, space).compile(*arrays, workers=2)
    text = program.source.read_text()
    assert "fetch(W_, soon0, 63)" in text
    assert "fetch(H_" not in text
    program.run()
    run_positions(factorize, space, serial, program.packed.positions)
    assert all(np.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(arrays, serial, strict=True))


def test_an_inner_product_is_vectorized_and_not_unrolled_before() -> None:
    program = Loop(factorize, ratings()).compile(*factors(rank=32))
    compiled = program.kernel.run.run
    compiled.recompile()
    (made,) = compiled.inspect_llvm().values()
    assert "llvm.vector.reduce.fadd" in made


def test_a_short_row_is_vectorized_too_since_no_array_is_in_the_way_of_another() -> None:
    program = Loop(factorize, ratings()).compile(*factors(rank=8))
    compiled = program.kernel.run.run
    compiled.recompile()
    (made,) = compiled.inspect_llvm().values()
    assert re.search(r"store <\d+ x float>", made)
    assert not re.search(r"store float\b", made)


def test_a_smaller_seed_of_order_changes_nothing_but_the_order() -> None:
    first, again, other = (Loop(factorize, ratings()).compile(*factors(), seed=s).packed.positions for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(np.sort(first), np.sort(other))


def relax(key, val, A):
    i, j = key
    A[i, j] = 0.25 * (A[i - 1, j] + A[i + 1, j] + A[i, j - 1] + A[i, j + 1])


def relax_diagonal(key, val, A):
    i, j = key
    A[i, j] = 0.2 * (A[i - 1, j - 1] + A[i - 1, j] + A[i - 1, j + 1] + A[i, j - 1] + A[i, j])


@pytest.mark.parametrize(("body", "strategy"), [(relax, "2d"), (relax_diagonal, "unimodular")])
def test_an_ordered_loop_on_threads_equals_the_serial_loop_bit_for_bit(body: Any, strategy: str) -> None:
    loop = Loop(body, Grid((9, 8), origin=(1, 1)), ordered=True)
    found = np.random.default_rng(0).normal(size=(11, 10))
    serial = found.copy()
    program = loop.compile(found, workers=3)
    assert (program.plan.strategy, program.how, program.exact) == (strategy, "rows", True)
    program.run()
    loop(serial)
    assert np.array_equal(found, serial)


def test_a_block_waits_only_for_those_that_share_its_partitions() -> None:
    plan = Loop(factorize, ratings()).plan(*factors())
    steps = steps_of(plan, list(schedule(plan, ratings(), 3)))
    assert [s.after for s in steps[:3]] == [(), (), ()]
    # In clock c worker w has the time block c + w, which worker w + 1 had before.
    before = {(s.number // 3, s.worker): s.number for s in steps}
    assert all(s.after == (before[s.number // 3 - 1, (s.worker + 1) % 3],) for s in steps[3:])


def test_a_failing_worker_stops_the_others_and_its_error_is_raised() -> None:
    plan = Loop(factorize, ratings()).plan(*factors())
    steps = steps_of(plan, list(schedule(plan, ratings(), 2)))
    both = Barrier(2, timeout=30)

    def run(step: Any) -> None:
        both.wait()
        if step.worker == 1:
            raise HarnessError("worker 1 has failed")

    with pytest.raises(HarnessError, match="worker 1 has failed"):
        run_steps([s for s in steps if s.number < 2], run)


def test_what_a_broken_pass_has_summed_is_not_added_later() -> None:
    def count(key, val, A, P, total):
        A[P[key[0]]] += 1
        total += 1

    places, total = np.array([0, 1, 9]), Accumulator(0)
    program = Loop(count, 3).compile(np.zeros(4), places, total)
    with pytest.raises(HarnessError, match="IndexError"):
        program.run()
    places[2] = 2
    program.run()
    assert total.value == 3


def test_val_rows_that_change_are_brought_back_and_read_again() -> None:
    space = Entries.of([[2, 0, 1]], np.arange(6).reshape(3, 2))

    @parallel_for(space)
    def change(key, val, A):
        val[0] += 10
        A[key[0]] = val[1]

    A = np.zeros(3)
    program = change.compile(A, tiled=False)
    program.run()
    assert space.values[:, 0].tolist() == [10, 12, 14]
    space.values[:, 1] = [7, 8, 9]
    program.refresh()
    program.run()
    assert A.tolist() == [8, 9, 7]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("space", [Entries.of([[2, 0, 1, 0], [0, 1, 1, 0]], np.zeros(4)), Grid((3, 2), (1, 1))])
def test_val_rows_come_back_from_every_thread_however_they_lie_in_memory(space: Any, turned: bool) -> None:
    shape = (3, 2, 5) if isinstance(space, Grid) else (4, 5)
    values = np.zeros(shape[::-1]).T if turned else np.zeros(shape)
    over = Grid((3, 2), (1, 1), values) if isinstance(space, Grid) else Entries.of(space.indices, values)

    @parallel_for(over)
    def note(key, val, A, B):
        i, j = key
        A[i] += 1
        B[j] += 1
        val[1:3] += 10 * i + j

    program = note.compile(np.zeros(4), np.zeros(3), workers=2)
    for _ in range(2):
        program.run()
    assert len({step.worker for step in program.steps}) == 2
    for n in range(len(over)):
        (i, j), val = over.entry(n)
        assert val.tolist() == [0, 20 * i + 2 * j, 20 * i + 2 * j, 0, 0]


def test_a_loop_over_its_own_argument_reads_what_it_has_written() -> None:
    values = DistArray(np.ones(5))

    @parallel_for(values, ordered=True)
    def running(key, val, A):
        i = key[0]
        if i < 4:
            A[i + 1] += val

    program = running.compile(values)
    program.run()
    assert program.how == "rows"
    assert values.values.tolist() == [1, 2, 3, 4, 5]


class Decayed:
    """Adds a share of an update, and counts updates beside it."""

    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, key: Any, current: float, count: float, update: float) -> tuple[float, float]:
        return current + self.share * update * max(count, 1.0) + key[0], count + 1


def plainly(key: Any, current: float, count: float, update: float) -> tuple[float, float]:
    return current + update + len(str(key[0])), count + 1


@pytest.mark.parametrize(("apply", "compiled"), [(Decayed(0.5), True), (plainly, False)])
def test_changes_through_a_buffer_arrive_as_when_it_is_flushed_each_time(apply: Any, compiled: bool) -> None:
    space = ratings(60, (5, 4))

    def learn(key, val, A, counts, late):
        i, j = key
        late[i, j] += val * A[i, j]
        late[i, 0] = val

    def made() -> list[Any]:
        A, counts = DistArray(np.ones((5, 4), np.float32)), DistArray(np.zeros((5, 4)))
        return [A, counts, DistArrayBuffer(A, apply=apply, arrays=(counts,), max_delay=1)]

    mine, plain = made(), made()
    program = Loop(learn, space).compile(*mine, tiled=False)
    program.run()
    run_serial(learn, space, plain)
    assert program.how == "rows"
    assert all(not flush.why for flush in program.flushes.values()) is compiled
    assert np.allclose(mine[0].values, plain[0].values, rtol=1e-5)
    assert np.array_equal(mine[1].values, plain[1].values)


def test_workers_share_no_buffer_and_no_change_is_lost() -> None:
    @parallel_for((40, 50))
    def spread(key, val, total, late):
        late[0] += 1.0

    total = DistArray(np.zeros(1))
    program = spread.compile(total, DistArrayBuffer(total, max_delay=7), workers=3)
    for _ in range(5):
        program.run()
    assert total.values.tolist() == [5 * 2000]


def test_a_worker_may_hold_only_its_part_of_an_array() -> None:
    space = ratings()
    whole, parts = factors(), factors()
    program = Loop(factorize, space).compile(*whole, workers=2)
    offsets = [(program.plan.placement(n).axis is not None) * 20 for n in "WH"]
    chosen = np.flatnonzero((space.indices[0] >= 20) & (space.indices[1] >= 20) & (space.indices[0] < 60))
    packed = pack(space, chosen)
    W, H = parts[0][offsets[0] : 60].copy(), parts[1][offsets[1] :].copy()
    program.kernel(packed, 0, len(packed), [W, H], [(20, 0), (20, 0)])
    program.kernel(packed, 0, len(packed), whole)
    assert np.array_equal(W, whole[0][20:60])
    assert np.array_equal(H, whole[1][20:])
    with pytest.raises(HarnessError, match="W has 20 to 39 along axis 0, and these entries touch 20 to 59"):
        program.kernel(packed, 0, len(packed), [W[:20], H], [(20, 0), (20, 0)])


def test_own_buffers_are_flushed_beside_own_ones() -> None:
    A, B = DistArray(np.zeros(2)), DistArray(np.zeros(2))
    beside = DistArrayBuffer(B)
    late = DistArrayBuffer(A, arrays=(B,), buffers=(beside,))
    copies = own([A, B, late, beside])
    assert copies[0] is A
    assert copies[2].buffers == (copies[2], copies[3])
    assert copies[2] is not late


def compiled(body: Any, space: Any, *arrays: Any) -> Any:
    return Loop(body, space).compile(*arrays)


def test_a_subscript_from_data_that_leaves_its_array_is_an_error_that_names_the_key() -> None:
    def look(key, val, A, P):
        A[P[key[0]]] += 1

    program = compiled(look, 3, np.zeros(4), np.array([0, 3, 4]))
    assert program.how == "rows"
    with pytest.raises(HarnessError, match=r"at key \(2,\): IndexError: P\[key\[0\]\] is out of range.*A has 4"):
        program.run()


def test_a_negative_subscript_from_data_counts_from_the_end() -> None:
    def look(key, val, A, P):
        A[P[key[0]]] += 1

    A = np.zeros(4)
    compiled(look, 3, A, np.array([-1, -4, -1])).run()
    assert A.tolist() == [1, 0, 0, 2]


def test_a_division_of_pythons_numbers_by_zero_is_an_error() -> None:
    def share(key, val, A):
        A[key[0]] = 1 / key[0]

    with pytest.raises(HarnessError, match=r"at key \(0,\): ZeroDivisionError"):
        compiled(share, 3, np.zeros(3)).run()


def test_nan_is_refused_before_the_loop_and_after_a_pass() -> None:
    def grow(key, val, A):
        A[key[0]] = np.sqrt(A[key[0]])

    A = np.array([1.0, 4.0, 9.0])
    program = compiled(grow, 3, A)
    program.run()
    A[1] = -1
    with pytest.raises(HarnessError, match=r"A\[1\] is NaN after a pass"):
        program.run()
    with pytest.raises(HarnessError, match=r"A\[1\] is NaN before the loop"):
        compiled(grow, 3, A)
    Loop(grow, 3).compile(A, finite=False).run()


def test_arrays_that_do_not_fit_are_refused() -> None:
    loop = Loop(factorize, ratings())
    W, H = factors()
    with pytest.raises(HarnessError, match="W and H share memory"):
        loop.compile(W, W[:70])
    with pytest.raises(HarnessError, match="runs from 0 to 89, but axis 0 of W has 50"):
        loop.compile(W[:50], H)
    with pytest.raises(HarnessError, match="at least one worker"):
        loop.compile(W, H, workers=0)
    with pytest.raises(HarnessError, match="at least one block"):
        loop.compile(W, H, blocks=0)
    held = DistArray(W)
    program = loop.compile(held, H)
    held.values = W[:50]
    with pytest.raises(HarnessError, match="W has the shape"):
        program.run()
    with pytest.raises(HarnessError, match="entries 0 to 4001 of 4000"):
        program.kernel(program.packed, 0, 4001, [W, H])


def test_rows_of_different_lengths_are_an_error() -> None:
    with pytest.raises(HarnessError, match="ValueError"):
        compiled(factorize, ratings(), factors()[0], factors(rank=6)[1]).run()


def test_one_text_is_one_file_and_other_numbers_are_another() -> None:
    first, again = (Loop(factorize, ratings()).compile(*factors()).source for _ in range(2))
    other = Loop(factorize, ratings()).compile(*factors(rank=4)).source
    assert first == again
    assert first != other
