from __future__ import annotations

import contextlib
import json
import math
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from harness import trace as module
from harness.trace import COUNTER, SPAN, VALUE, TraceTooLarge, TraceWriter
from tests.conftest import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def stored(folder: Path, worker: int = -1) -> Iterator[dict[str, Any]]:
    """A shard as pyarrow alone reads it."""
    with pa.ipc.open_stream(folder / f"shard-{worker}.arrow") as stream:
        for batch in stream:
            yield from batch.to_pylist()


def test_each_kind_of_event_is_stored_as_it_was_given(tmp_path: Path, clock: Clock) -> None:
    trace = TraceWriter(tmp_path, worker=3, clock=clock)
    with trace.span("forward", step=7, peer=1) as span:
        clock.now += 2
        span.value = 0.5
    trace.add_span("backward", 101.0, 104.0, step=8)
    trace.count("bytes_sent", 4096, peer=2)
    trace.value("loss", 0.25, step=9)
    trace.close()
    rows = [tuple(row.values()) for row in stored(tmp_path, 3)]
    assert rows[0] == (SPAN, "forward", 1, 7, 100.0, 102.0, 0.5)
    assert rows[1][:6] == (SPAN, "backward", -1, 8, 101.0, 104.0)
    assert math.isnan(rows[1][6])
    assert rows[2:] == [
        (COUNTER, "bytes_sent", 2, -1, 102.0, 102.0, 4096.0),
        (VALUE, "loss", -1, 9, 102.0, 102.0, 0.25),
    ]


def test_names_that_come_up_later_do_not_change_earlier_batches(tmp_path: Path) -> None:
    trace = TraceWriter(tmp_path)
    for i in range(20):
        trace.value(f"name {i}", i)
        trace.value("name 0", i)
        trace.flush()
    trace.close()
    expected = [pair for i in range(20) for pair in ((f"name {i}", i), ("name 0", i))]
    assert [(row["name"], row["value"]) for row in stored(tmp_path)] == expected


def test_many_events_are_all_stored_and_memory_does_not_grow_with_them(tmp_path: Path) -> None:
    trace, before = TraceWriter(tmp_path), pa.total_allocated_bytes()
    tracemalloc.start()
    for step in range(200_000):
        trace.add_span("update", step, step + 1.0, step=step)
    trace.close()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * module.FLUSH_BYTES
    assert pa.total_allocated_bytes() <= before
    with pa.ipc.open_stream(tmp_path / "shard--1.arrow") as stream:
        steps = stream.read_all().column("step").to_numpy()
    assert (steps == range(200_000)).all()


def test_a_span_that_an_exception_leaves_is_recorded(tmp_path: Path, clock: Clock) -> None:
    trace = TraceWriter(tmp_path, clock=clock)
    with contextlib.suppress(ZeroDivisionError), trace.span("work"):
        clock.now += 1 / 2
        clock.now += 1 / 0
    trace.close()
    (row,) = stored(tmp_path)
    assert (row["start"], row["end"]) == (100.0, 100.5)


def test_evaluation_does_not_count_as_elapsed(clock: Clock) -> None:
    trace = TraceWriter(clock=clock)
    clock.now += 50
    trace.begin()
    clock.now += 3
    with trace.span("evaluate"):
        clock.now += 10
    with trace.span("forward"):
        clock.now += 4
    assert trace.elapsed() == 7


def test_an_evaluation_stores_the_cpu_seconds_it_took(tmp_path: Path) -> None:
    ticks = iter([5.0, 7.5])
    trace = TraceWriter(tmp_path, cpu_clock=lambda: next(ticks))
    with trace.span("evaluate"):
        pass
    trace.close()
    (row,) = stored(tmp_path)
    assert row["value"] == 2.5


def test_the_latest_value_is_at_hand_and_the_first_that_is_not_finite_is_remembered() -> None:
    trace = TraceWriter()
    trace.value("loss", 0.5, step=1)
    assert trace.not_finite is None
    trace.value("loss", math.inf, step=2)
    trace.value("accuracy", math.nan, step=3)
    assert trace.latest["loss"] == math.inf
    assert trace.not_finite == "loss is inf at step 2"


def test_facts_are_kept_one_json_line_each(tmp_path: Path) -> None:
    trace = TraceWriter(tmp_path, worker=2)
    trace.fact("plan", {"stages": [1, 2]})
    trace.fact("plan", {"stages": []})
    lines = (tmp_path / "facts-2.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"name": "plan", "worker": 2, "fact": {"stages": [1, 2]}},
        {"name": "plan", "worker": 2, "fact": {"stages": []}},
    ]


def test_a_trace_that_grows_beyond_the_limit_fails_once_and_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMIT_BYTES", 10 * module.ROW.size)
    trace = TraceWriter(tmp_path)
    for i in range(8):
        trace.value("loss", i)
    trace.flush()
    for i in range(8):
        trace.value("loss", i)
    with pytest.raises(TraceTooLarge, match="once a batch or epoch"):
        trace.flush()
    trace.value("loss", 1)
    trace.close()
    assert [row["value"] for row in stored(tmp_path)][:8] == list(range(8))


def test_without_a_folder_or_an_event_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    silent = TraceWriter()
    silent.value("loss", 1.0)
    silent.fact("plan", {})
    silent.close()
    TraceWriter(tmp_path).close()
    assert list(tmp_path.iterdir()) == []
