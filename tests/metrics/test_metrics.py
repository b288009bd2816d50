"""The core's metrics on traces whose times are given by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.components import Censored
from harness.metrics.quality import FinalAccuracy, FinalLoss
from harness.metrics.resources import BytesSent, PeakMemory
from harness.metrics.time import DeviceTime, StepsToTarget, Throughput, TimeToTarget, TotalTime, WallTime
from harness.trace import TraceWriter
from harness.tracefile import Trace, merge
from tests.conftest import Clock


@pytest.fixture
def trained(tmp_path: Path) -> Trace:
    """Prepares for 5 s, works for 2 s, evaluates for 3 s, works for 4 s, evaluates for 1 s."""
    clock, cpu = Clock(), Clock()
    trace = TraceWriter(tmp_path, clock=clock, cpu_clock=cpu)
    trace.fact("budget", {"target": "accuracy >= 0.8"})
    with trace.span("prepare"):
        clock.now += 5
    with trace.span("job") as job:
        before = cpu()
        for work, evaluation, accuracy in ((2, 3, 0.7), (4, 1, 0.9)):
            trace.count("bytes_sent", 1000, peer=1)
            clock.now += work
            cpu.now += 2 * work
            trace.count("samples", 60 * work)
            with trace.span("evaluate"):
                trace.count("bytes_sent", 50, peer=1)
                clock.now += evaluation
                cpu.now += evaluation
                trace.value("accuracy", accuracy)
                trace.value("loss", 1 - accuracy)
        job.value = cpu() - before
    trace.close()
    return Trace.read(merge(tmp_path))


def test_time_metrics_leave_out_preparation_and_evaluation_but_for_the_total(trained: Trace) -> None:
    assert WallTime().measure(trained) == 6
    assert TotalTime().measure(trained) == 15
    assert Throughput().measure(trained) == 60
    assert DeviceTime().measure(trained) == 12


def test_time_to_target_is_the_work_done_until_the_first_value_that_meets_it(trained: Trace) -> None:
    assert TimeToTarget().measure(trained) == 6, "the budget's target"
    assert TimeToTarget(target="accuracy >= 0.6").measure(trained) == 2
    assert TimeToTarget(target="loss < 0.05").measure(trained) == Censored(6)
    assert TimeToTarget(target="perplexity < 5").measure(trained) is None


def test_steps_to_target_are_those_of_the_first_value_that_meets_it(tmp_path: Path) -> None:
    trace = TraceWriter(tmp_path)
    for step, accuracy in ((10, 0.5), (20, 0.8), (30, 0.7), (40, 0.9)):
        trace.value("accuracy", accuracy, step=step)
    trace.close()
    recorded = Trace.read(merge(tmp_path))
    assert StepsToTarget(target="accuracy >= 0.75").measure(recorded) == 20
    assert StepsToTarget(target="accuracy >= 0.95").measure(recorded) == Censored(40)
    assert StepsToTarget().measure(recorded) is None, "no target"


def test_steps_to_target_need_values_that_were_recorded_with_a_step(trained: Trace) -> None:
    assert StepsToTarget().measure(trained) is None
    assert StepsToTarget(target="accuracy >= 0.95").measure(trained) is None


def test_a_target_may_be_met_between_two_values(tmp_path: Path) -> None:
    clock = Clock()
    trace = TraceWriter(tmp_path, clock=clock)
    with trace.span("run"):
        for seconds, step, loss in ((2, 10, 3.0), (2, 20, 2.0), (4, 40, 1.0)):
            clock.now += seconds
            trace.value("loss", loss, step=step)
    trace.close()
    recorded = Trace.read(merge(tmp_path))
    for target, steps, seconds in (
        ("loss <= 1.75", 25, 5),
        ("loss < 2", 20, 4),
        ("loss <= 3", 10, 2),
        ("loss <= 1", 40, 8),
        ("loss >= 2.5", 10, 2),
    ):
        assert StepsToTarget(target=target, interpolate=True).measure(recorded) == pytest.approx(steps)
        assert TimeToTarget(target=target, interpolate=True).measure(recorded) == pytest.approx(seconds)
    assert StepsToTarget(target="loss <= 1.75").measure(recorded) == 40
    assert StepsToTarget(target="loss < 1", interpolate=True).measure(recorded) == Censored(40)


def test_a_target_that_does_not_parse_is_refused() -> None:
    with pytest.raises(ValueError, match="accuracy"):
        TimeToTarget(target="accuracy")


def test_quality_is_the_last_value(trained: Trace) -> None:
    assert FinalAccuracy().measure(trained) == 0.9
    assert FinalLoss().measure(trained) == pytest.approx(0.1)


def test_bytes_of_the_work_add_up(trained: Trace) -> None:
    assert BytesSent().measure(trained) == 2000


def test_what_a_trace_does_not_hold_is_not_measured_never_zero(tmp_path: Path) -> None:
    TraceWriter(tmp_path).close()
    empty = Trace.read(merge(tmp_path))
    times = (WallTime, TotalTime, TimeToTarget, StepsToTarget, Throughput, DeviceTime)
    for metric in (*times, FinalLoss, FinalAccuracy, BytesSent):
        assert metric().measure(empty) is None
    assert PeakMemory().measure(empty) is None


def shards(folder: Path, memory: dict[int, tuple[float, float]]) -> Iterator[TraceWriter]:
    for worker, (level, peak) in memory.items():
        trace = TraceWriter(folder, worker=worker)
        trace.value("memory_level", level)
        trace.value("memory_peak", peak)
        yield trace


def test_peak_memory_is_the_worst_workers_and_the_waiting_cell_does_not_count(tmp_path: Path) -> None:
    for trace in shards(tmp_path, {-1: (10, 900), 0: (100, 150), 1: (200, 280)}):
        trace.close()
    assert PeakMemory().measure(Trace.read(merge(tmp_path))) == 80
