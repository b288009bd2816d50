"""Arrays that one index selects from lie side by side, and nothing that a user can see changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HarnessError
from harness_orion import DistArray, DistArrayBuffer, Entries, parallel_for
from harness_orion.running.packing import pack
from harness_orion.running.records import LINE, aligned_copy

ROWS, COLUMNS, COUNT = 40, 30, 500


def entries(seed=0):
    rng = np.random.default_rng(seed)
    drawn = rng.choice(ROWS * COLUMNS, COUNT, replace=False)
    return Entries.of([drawn // COLUMNS, drawn % COLUMNS], rng.random(COUNT, np.float32), shape=(ROWS, COLUMNS))


def rates(key, val, W, H, W_sums, H_sums, rate):
    i, j = key
    w = W[i]
    h = H[j]
    e = val - w @ h
    W_sums[i] += e * e
    H_sums[j] += e * e
    W[i] += rate / np.sqrt(W_sums[i]) * (e * h)
    H[j, 1:] += rate / np.sqrt(H_sums[j]) * (e * w[1:])
    H[j, 0] -= rate * e


def arrays(width, dtype=np.float32):
    rng = np.random.default_rng(1)
    whole = [rng.random((n, width)).astype(dtype) for n in (ROWS, COLUMNS)]
    return [DistArray(a.copy()) for a in whole] + [DistArray(np.ones(n, dtype)) for n in (ROWS, COLUMNS)]


def test_what_one_index_selects_lies_in_one_row_from_the_beginning_of_a_line():
    given = arrays(12)
    parallel_for(entries())(rates).compile(*given, np.float32(0.1))
    W, H, W_sums, H_sums = (array.place for array in given)
    assert W.memory is W_sums.memory
    assert H.memory is H_sums.memory
    assert W.memory is not H.memory
    assert (W.column, W_sums.column) == (0, 12)
    assert W.memory.ctypes.data % LINE == 0
    assert W.memory.strides[0] % LINE == 0


def test_the_longest_rows_come_first_whatever_the_order_of_the_arguments():
    def short_first(key, val, sums, W, H):
        i, j = key
        sums[i] += val
        W[i] += val * H[j]

    W, H, sums, _ = arrays(12)
    parallel_for(entries())(short_first).compile(sums, W, H)
    assert W.place.memory is sums.place.memory
    assert (W.place.column, sums.place.column) == (0, 12)


@settings(deadline=None, max_examples=15)
@given(st.sampled_from([5, 12, 16]), st.sampled_from([np.float32, np.float64]), st.integers(1, 3), st.integers(0, 99))
def test_a_pass_equals_the_serial_run_of_its_order(width, dtype, workers, seed):
    loop, rate = parallel_for(entries(seed))(rates), dtype(0.1)
    given, plain = arrays(width, dtype), arrays(width, dtype)
    program = loop.compile(*given, rate, workers=workers, seed=seed)
    for _ in range(2):
        program.run()
        for n in range(len(program.packed)):
            rates(*program.packed.entry(n), *plain, rate)
    for a, b in zip(given, plain, strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e3 * np.finfo(dtype).eps, atol=1e2 * np.finfo(dtype).eps)


def test_an_array_that_somebody_else_holds_stays_where_it_is_and_is_changed_there():
    W, H, W_sums, H_sums = arrays(12)
    held, part = W.values, H_sums.values[:3]
    before = held.copy()
    parallel_for(entries())(rates).compile(W, H, W_sums, H_sums, np.float32(0.1)).run()
    assert W.values is held
    assert W.place is None
    assert not np.array_equal(held, before)
    assert np.array_equal(part, H_sums.values[:3])


def test_a_second_program_over_the_same_arrays_goes_on_from_the_first():
    loop, rate = parallel_for(entries())(rates), np.float32(0.1)
    given, other = arrays(12), arrays(12)
    loop.compile(*given, rate).run()
    places = [array.place for array in given]
    loop.compile(*given, rate, workers=2).run()
    assert [array.place for array in given] == places
    loop.compile(*other, rate).run()
    again = [DistArray(array.values.copy()) for array in other]
    loop.compile(*again, rate, workers=2).run()
    for a, b in zip(given, again, strict=True):
        assert np.array_equal(a.values, b.values)


def test_values_given_after_compiling_are_those_of_the_next_pass():
    given, fresh = arrays(12), arrays(12)
    program = parallel_for(entries())(rates).compile(*given, np.float32(0.1))
    program.run()
    for array, begun in zip(given, arrays(12), strict=True):
        array.values = begun.values
    program.run()
    parallel_for(entries())(rates).compile(*fresh, np.float32(0.1)).run()
    for a, b in zip(given, fresh, strict=True):
        assert np.array_equal(a.values, b.values)


def test_values_of_another_shape_are_refused():
    given = arrays(12)
    program = parallel_for(entries())(rates).compile(*given, np.float32(0.1))
    given[0].values = np.zeros((ROWS, 3), np.float32)
    with pytest.raises(HarnessError, match="W has the shape"):
        program.run()


def test_the_target_of_a_buffer_stays_where_it_is():
    def add(key, val, W, sums, late):
        i, _ = key
        late[i] += val * W[i]
        sums[i] += val

    W, sums = DistArray(np.ones((ROWS, 12), np.float32)), DistArray(np.zeros(ROWS, np.float32))
    late = DistArrayBuffer(W, max_delay=50)
    parallel_for(entries())(add).compile(W, sums, late).run()
    assert W.place is None


@pytest.mark.parametrize(
    "part", [np.arange(60.0).reshape(6, 10)[1:4], np.arange(7)[::2], np.empty((0, 3)), np.ones((2, 0))]
)
def test_a_part_of_its_own_begins_with_a_line(part):
    made = aligned_copy(part)
    assert np.array_equal(made, part)
    assert (made.dtype, made.flags.c_contiguous, np.shares_memory(made, part)) == (part.dtype, True, False)
    assert made.size == 0 or made.ctypes.data % LINE == 0


@given(st.integers(0, 9), st.data())
def test_the_reach_of_some_entries_is_that_of_their_keys(seed, data):
    space = entries(seed)
    packed = pack(space, np.random.default_rng(seed).permutation(COUNT))
    start = data.draw(st.integers(0, COUNT - 1))
    stop = data.draw(st.integers(start + 1, COUNT))
    keys = [packed.key(n) for n in range(start, stop)]
    for dim in (0, 1):
        expected = min(k[dim] for k in keys), max(k[dim] for k in keys)
        assert packed.reach(dim, start, stop) == packed.reach(dim, start, stop) == expected
