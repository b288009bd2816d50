"""Served arrays: what buffers bring to them, how few messages that takes, and what goes where."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import distloops
import numpy as np
import pytest
from ranks import contents, run

from harness_orion import DistArray, DistArrayBuffer, Entries, Loop
from harness_orion.ranks.distributed import Options
from harness_orion.ranks.server import Server, Table, tables_of


def histogram(key, val, counts, seen, counts_buf):
    i = key[0]
    seen[i] = counts[val]
    counts_buf[val] += 1


def counting(apply=None, max_delay: int | None = None) -> distloops.Case:
    values = np.random.default_rng(1).integers(0, 7, 50)
    counts = DistArray(np.zeros(7, np.int64))
    buffer = DistArrayBuffer(counts, apply=apply, max_delay=max_delay)
    return Loop(histogram, Entries.of([np.arange(50)], values)), [counts, DistArray(np.zeros(50, np.int64)), buffer]


def larger(_key, current, update):
    return max(current, update)


@pytest.mark.parametrize("prefetch", ["on", "off", "cached"])
@pytest.mark.parametrize("max_delay", [None, 3])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_changes_of_all_ranks_arrive_once(workers: int, max_delay, prefetch, tmp_path: Path) -> None:
    outcome = run(
        partial(counting, max_delay=max_delay), workers, tmp_path, passes=2, options=Options(prefetch=prefetch)
    )
    assert outcome.arrays[0].tolist() == (2 * np.bincount(counting()[0].space.values, minlength=7)).tolist()


def test_a_function_of_the_user_s_own_is_applied_where_the_element_is(tmp_path: Path) -> None:
    outcome = run(partial(counting, larger, 5), 2, tmp_path, passes=3)
    assert outcome.arrays[0].max() <= 5


@pytest.mark.parametrize("make", [distloops.regression, distloops.adaptive])
@pytest.mark.parametrize("max_delay", [1, 4, None])
def test_one_rank_reads_what_was_there_when_its_changes_last_left(make, max_delay, tmp_path: Path) -> None:
    outcome = run(partial(make, max_delay), 1, tmp_path, passes=2)
    loop, arguments = make(max_delay)
    plain = [a.values if isinstance(a, DistArray) else a for a in arguments]
    buffers = [a for a in arguments if isinstance(a, DistArrayBuffer)]
    for _ in range(2):
        for n in range(len(loop.space)):
            loop.body(*loop.space.entry(n), *plain)
            if n + 1 == len(loop.space) or (max_delay and (n + 1) % max_delay == 0):
                for buffer in buffers:
                    buffer.flush()
    for got, wanted in zip(outcome.arrays, contents(arguments), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12)


HEADER, NUMBER = 16, 8  # Bytes of what a request is about, and of a row's number or an element.


def counted(prefetch, folder: Path) -> tuple[float, list[list[int]]]:
    """The bytes of a pass on two ranks, and the rows that each touched of the other's, in turn."""
    one, two = (
        run(counting, 2, folder / f"{prefetch}{passes}", passes=passes, options=Options(prefetch=prefetch))
        for passes in (1, 2)
    )
    values = counting()[0].space.values
    touched = [values[turns[0][1]] for turns in one.turns]
    others = [rows[rows % 2 != rank].tolist() for rank, rows in enumerate(touched)]
    # The difference leaves out what gathering sends.
    return two.trace.total("bytes_sent") - one.trace.total("bytes_sent"), others


def test_all_rows_of_a_partition_come_with_one_request_to_each_other_rank(tmp_path: Path) -> None:
    at_once, others = counted("on", tmp_path)
    flushed = sum(HEADER + len(set(rows)) * 2 * NUMBER for rows in others)
    assert at_once - flushed == sum(HEADER + len(set(rows)) * 2 * NUMBER for rows in others)
    alone, others = counted("off", tmp_path)
    assert alone - flushed == sum(len(rows) * (HEADER + 2 * NUMBER) for rows in others)


def test_rows_are_the_axes_that_are_taken_whole_and_arrays_flushed_together_are_alike() -> None:
    loop, arguments = distloops.adaptive()
    tables = tables_of(loop.plan(*arguments))
    assert {n: (t.rows, t.width) for n, t in tables.items()} == {"weights": (10, 1), "squares": (10, 1)}
    loop, arguments = distloops.relaxation()
    assert tables_of(loop.plan(*arguments))["A"] == Table("A", (9, 10), 2)


class Alone:
    rank, size = 1, 3


def test_a_rank_keeps_every_so_manyeth_row() -> None:
    array = np.arange(21.0).reshape(7, 3)
    server = Server({"A": Table("A", (7, 3), 1)}, {"A": array}, {}, {}, Alone())
    assert server.rows["A"].tolist() == array[1::3].tolist()
