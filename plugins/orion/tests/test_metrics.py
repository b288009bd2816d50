"""Metrics of loops, from traces written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import Trace, TraceWriter
from harness.tracefile import merge
from harness_orion.metrics import (
    CoreShare,
    FinalRmse,
    MeanLoss,
    NeedlesslySerial,
    SecondsPerPass,
    Speedup,
    UpdatesPerSecond,
)


def trace(folder: Path, *, passes: int) -> Trace:
    """Passes of 2 s and 50 updates each, with 1 s of evaluation after each, whose losses are 4, 3, ..."""
    now = [0.0]
    writer = TraceWriter(folder, worker=0, clock=lambda: now[0], cpu_clock=lambda: 0.0)
    with writer.span("run"):
        for step in range(passes):
            now[0] += 2.0
            writer.count("updates", 50, step=step + 1)
            with writer.span("evaluate", step=step):
                now[0] += 1.0
                writer.value("loss", 4.0 - step, step=step + 1)
                writer.value("rmse", 2.0 - step, step=step + 1)
    writer.close()
    return Trace.read(merge(folder))


def test_speed_is_of_the_work_alone(tmp_path: Path) -> None:
    found = trace(tmp_path, passes=3)
    assert UpdatesPerSecond().measure(found) == pytest.approx(25.0)
    assert SecondsPerPass().measure(found) == pytest.approx(2.0)


def test_a_pass_of_several_workers_is_one_pass(tmp_path: Path) -> None:
    for worker in (0, 1):
        writer = TraceWriter(tmp_path, worker=worker, clock=lambda: 0.0, cpu_clock=lambda: 0.0)
        writer.add_span("run", 0.0, 6.0, value=0.0)
        for step in (1, 2):
            writer.count("updates", 10, step=step)
        writer.close()
    assert SecondsPerPass().measure(Trace.read(merge(tmp_path))) == pytest.approx(3.0)


def in_turn(folder: Path, passes: list[float], serial: list[float], serials: list[float]) -> Trace:
    """Passes of two workers, the second of which begins 0.5 s late, with serial programs in turn."""
    for worker in (0, 1):
        writer = TraceWriter(folder, worker=worker, clock=lambda: 0.0, cpu_clock=lambda: 0.0)
        now = 0.0
        for step in range(len(passes)):
            for name, seconds in (("pass", passes[step]), ("serial", serial[step]), ("serials", serials[step])):
                if name != "serial" or worker == 0:
                    writer.add_span(name, now + 0.5 * worker, now + seconds, step=step)
                now += seconds
        writer.fact("turns", {"programs": 2})
        writer.close()
    return Trace.read(merge(folder))


def test_a_speed_up_is_the_median_over_passes_and_their_neighbours(tmp_path: Path) -> None:
    found = in_turn(tmp_path, passes=[2.0, 4.0, 2.0], serial=[3.0, 8.0, 2.0], serials=[4.0, 12.0, 3.6])
    assert Speedup().measure(found) == pytest.approx(1.5)
    assert CoreShare().measure(found) == pytest.approx(1.0)


def test_without_turns_there_is_no_speed_up(tmp_path: Path) -> None:
    assert [m().measure(trace(tmp_path, passes=2)) for m in (Speedup, CoreShare)] == [None, None]


def test_quality_is_the_mean_on_the_way_and_the_end(tmp_path: Path) -> None:
    found = trace(tmp_path, passes=3)
    assert MeanLoss().measure(found) == pytest.approx(3.0)
    assert MeanLoss(of="rmse").measure(found) == pytest.approx(1.0)
    assert FinalRmse().measure(found) == pytest.approx(0.0)


def test_without_passes_nothing_is_measured(tmp_path: Path) -> None:
    found = trace(tmp_path, passes=0)
    assert [m().measure(found) for m in (UpdatesPerSecond, SecondsPerPass, MeanLoss, FinalRmse)] == [None] * 4


def test_a_share_of_loops_is_of_those_that_were_noted(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path, worker=0, clock=lambda: 0.0, cpu_clock=lambda: 0.0)
    for step, found in enumerate((True, False, False, True)):
        writer.value("needlessly_serial", found, step=step)
    writer.close()
    assert NeedlesslySerial().measure(Trace.read(merge(tmp_path))) == pytest.approx(0.5)
