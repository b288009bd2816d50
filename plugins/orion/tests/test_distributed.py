"""A loop on several ranks against serial runs of the same entries."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import distloops
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from randomloops import RandomLoop, loops
from ranks import Nothing, Outcome, contents, replay, run
from test_random_loops import races, read

from harness import Budget, HarnessError, Job, TraceWriter, Worker, devices
from harness_orion import DistArray, Loop, Plan
from harness_orion.analysis.strategies import make_plan
from harness_orion.analysis.traffic import moves
from harness_orion.lowering.types import Unsupported
from harness_orion.ranks.distributed import Distributed, Options

UNORDERED = {
    distloops.factorization: "2d",
    distloops.columns: "2d",
    distloops.sums_of_rows: "1d",
    distloops.sum_of_arrays: "independent",
}
ORDERED = {
    partial(distloops.factorization, ordered=True): "2d",
    distloops.relaxation: "2d",
    distloops.skewed: "unimodular",
    distloops.recurrence: "serial",
}


def agree(outcome: Outcome, expected: list[np.ndarray]) -> None:
    for got, wanted in zip(outcome.arrays, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
@pytest.mark.parametrize("make", UNORDERED)
def test_an_unordered_loop_equals_the_serial_run_of_its_block_order(make, workers: int, tmp_path: Path) -> None:
    outcome = run(make, workers, tmp_path, passes=2)
    assert outcome.strategy == UNORDERED[make]
    agree(outcome, replay(make, outcome, passes=2))


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("make", ORDERED)
def test_an_ordered_loop_equals_the_serial_loop(make, workers: int, tmp_path: Path) -> None:
    outcome = run(make, workers, tmp_path, passes=2)
    assert outcome.strategy == ORDERED[make]
    loop, arguments = make()
    for _ in range(2):
        loop(*arguments)
    agree(outcome, contents(arguments))


@pytest.mark.parametrize("make", [partial(distloops.factorization, ordered=True), distloops.relaxation])
def test_processes_give_what_threads_give(make, tmp_path: Path) -> None:
    threads = run(make, 2, tmp_path / "threads", passes=2)
    processes = run(make, 2, tmp_path / "processes", passes=2, device=devices.Processes())
    for a, b in zip(threads.arrays, processes.arrays, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("prefetch", ["on", "off", "cached"])
@pytest.mark.parametrize("make", [distloops.relaxation, distloops.skewed])
def test_however_rows_are_fetched_the_result_is_the_serial_one(make, prefetch, tmp_path: Path) -> None:
    outcome = run(make, 2, tmp_path, passes=2, options=Options(prefetch=prefetch))
    loop, arguments = make()
    for _ in range(2):
        loop(*arguments)
    agree(outcome, contents(arguments))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(loops(), st.integers(1, 3), st.integers(1, 3), st.sampled_from(["on", "off"]))
def test_a_random_loop_equals_a_serial_run(loop: RandomLoop, workers: int, blocks: int, prefetch) -> None:
    made = Loop(loop.function, loop.space, ordered=loop.ordered)
    try:
        made(*loop.arrays(0).values())
        plan = make_plan(read(loop), loop.space, ordered=loop.ordered)
    except HarnessError:
        reject()
    if not loop.ordered and races(plan):
        reject()

    def make() -> distloops.Case:
        return made, [DistArray(values) for values in loop.arrays(0).values()]

    forms = patch.multiple("harness_orion.compiling.kernel", row_form=uncompiled, array_form=uncompiled)
    with tempfile.TemporaryDirectory() as folder, forms:
        outcome = run(make, workers, Path(folder), options=Options(blocks=blocks, prefetch=prefetch))
    wavefront = plan.strategy == "2d" and loop.ordered
    wanted = contents(make_serially(make)) if loop.ordered else replay(make, outcome, wavefront=wavefront)
    assert [a.tobytes() for a in outcome.arrays] == [a.tobytes() for a in wanted], loop.text


def uncompiled(*_: Any) -> Any:
    """Leave the body itself: compiling so many loops would take minutes."""
    raise Unsupported("not here")


def make_serially(make) -> list[Any]:
    loop, arguments = make()
    loop(*arguments)
    return arguments


@pytest.mark.parametrize("blocks", [1, 3])
@pytest.mark.parametrize("workers", [2, 3])
def test_each_pass_sends_each_rotated_element_once_for_each_rank(workers: int, blocks: int, tmp_path: Path) -> None:
    options = Options(blocks=blocks)
    one, three = (
        run(distloops.columns, workers, tmp_path / str(passes), passes=passes, options=options) for passes in (1, 3)
    )
    rotated = distloops.columns()[1][1 if plan_of(distloops.columns).time_dim == 1 else 0].values
    assert sent(three) - sent(one) == 2 * workers * rotated.nbytes


def test_the_explanation_of_a_rotation_says_what_is_sent(tmp_path: Path) -> None:
    make = partial(distloops.columns_of, (12, 12))
    plan = plan_of(make)
    (move,) = moves(plan, 3)
    one, two = (run(make, 3, tmp_path / str(n), passes=n, options=Options(balanced=False)) for n in (1, 2))
    assert sent(two) - sent(one) == 3 * 3 * move.bytes  # each of 3 ranks, in each of 3 rotations


def plan_of(make) -> Plan:
    loop, arguments = make()
    return loop.plan(*arguments)


def sent(outcome: Outcome) -> float:
    """The bytes of the passes; gathering is left out."""
    assert outcome.trace is not None
    return float(outcome.trace.at_work(outcome.trace.counts("bytes_sent")).value.sum())


def test_what_ranks_do_is_in_the_trace(tmp_path: Path) -> None:
    rotated = run(distloops.factorization, 2, tmp_path / "rotated").trace
    served = run(distloops.relaxation, 2, tmp_path / "served").trace
    assert len(rotated.spans("compute")) == len(rotated.spans("send")) == 2 * 4
    assert len(served.spans("prefetch")) == len(served.spans("flush")) == 2 * 4


def test_partitions_of_skewed_data_hold_about_equal_numbers_of_entries(tmp_path: Path) -> None:
    even, skewed = (run(distloops.power_law, 4, tmp_path / str(b), options=Options(balanced=b)) for b in (True, False))
    most = [max(sum(len(p) for _, p in turns) for turns in o.turns) for o in (even, skewed)]
    assert most[0] < 1.2 * 2000 / 4 < most[1]


def test_with_fewer_indices_than_ranks_some_have_nothing_to_do(tmp_path: Path) -> None:
    make = partial(distloops.factorization, shape=(3, 2), count=5)
    outcome = run(make, 4, tmp_path, passes=2)
    agree(outcome, replay(make, outcome, passes=2))


def test_the_loop_s_own_values_come_back_to_rank_0(tmp_path: Path) -> None:
    make = distloops.marking
    outcome = run(make, 3, tmp_path, passes=2)
    assert outcome.arrays[0].tolist() == [3.0 * n for n in range(10)]


@pytest.mark.parametrize(
    ("options", "said"),
    [({"blocks": 0}, "blocks is at least 1"), ({"prefetch": "some"}, "prefetch is on, off or cached")],
)
def test_options_that_make_no_sense_are_refused(options, said) -> None:
    with pytest.raises(HarnessError, match=said):
        Options(**options)


def test_a_sum_of_what_cannot_be_sent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="loss accumulates object, which cannot be sent"):
        run(distloops.unsendable, 1, tmp_path)


def change_between_passes(make, passes: int, worker: Worker) -> list[np.ndarray]:
    """Between passes, every rank does the same with the whole arrays."""
    loop, arguments = make()
    runner = Distributed(loop, arguments, worker.comm)
    for _ in range(passes):
        runner.run()
        runner.gather(everywhere=True)
        for array in arguments[:2]:
            array.values[...] = array.values[::-1] * 0.5
        runner.refresh()
    runner.gather()
    return contents(arguments)


@pytest.mark.parametrize("make", [partial(distloops.factorization, ordered=True), distloops.relaxation])
def test_arrays_may_change_between_passes(make, tmp_path: Path) -> None:
    job = Job(Nothing(), devices.Cpu(), Budget(), 0, TraceWriter(tmp_path), tmp_path)
    got, *_ = job.launch(partial(change_between_passes, make, 2), 3)
    loop, arguments = make()
    for _ in range(2):
        loop(*arguments)
        for array in arguments[:2]:
            array.values[...] = array.values[::-1] * 0.5
    for a, b in zip(got, contents(arguments), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
