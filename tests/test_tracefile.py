from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.trace import COUNTER, SPAN, VALUE, TraceWriter
from harness.tracefile import Trace, merge

Event = tuple[Any, ...]
NAMES = st.sampled_from(["run", "loss", "bytes_sent", "naïve \N{SNOWMAN}", ""])
TIMES = st.floats(0, 1e6)
EVENTS = st.tuples(
    st.sampled_from([SPAN, COUNTER, VALUE]),
    NAMES,
    st.integers(-1, 1),  # worker
    st.integers(-1, 2**31 - 1),  # peer
    st.integers(-1, 2**62),  # step
    TIMES,
    TIMES,
    st.floats(allow_nan=False),
)


def write(folder: Path, events: list[Event], *, flush_every: int = 3) -> None:
    """Each worker's events, in order, through a writer of its own."""
    writers = {worker: TraceWriter(folder, worker=worker) for worker in {event[2] for event in events}}
    for i, (kind, name, worker, *rest) in enumerate(events):
        writers[worker]._append(kind, name, *rest)
        if i % flush_every == 0:
            writers[worker].flush()
    for writer in writers.values():
        writer.close()


def rows(trace: Trace) -> list[Event]:
    """Every event of a trace, as ``write`` takes it."""
    e = trace.events
    names = [trace.table[code] for code in e.name]
    columns = [column.tolist() for column in (e.worker, e.peer, e.step, e.start, e.end, e.value)]
    return list(zip(e.kind.tolist(), names, *columns, strict=True))


def traced(folder: Path, *events: Event) -> Trace:
    """A trace of events given as (kind, name, worker, start, end, value)."""
    write(folder, [(kind, name, worker, -1, -1, *rest) for kind, name, worker, *rest in events])
    return Trace.read(merge(folder))


def span(name: str, start: float, end: float, *, worker: int = 0, value: float = math.nan) -> Event:
    return SPAN, name, worker, start, end, value


@settings(deadline=None, max_examples=50)
@given(st.lists(EVENTS, max_size=20), st.integers(1, 5))
def test_what_is_written_is_read_back_sorted_by_start(events: list[Event], flush_every: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), events, flush_every=flush_every)
        found = rows(Trace.read(merge(Path(name))))
        assert sorted(p.name for p in Path(name).iterdir()) == ["trace.parquet"]
    assert [row[5] for row in found] == sorted(event[5] for event in events)
    # Python's sort is stable: a worker's events that start together keep their order.
    for worker in (-1, 0, 1):
        mine = sorted((e for e in events if e[2] == worker), key=lambda e: e[5])
        assert [row for row in found if row[2] == worker] == mine


def test_a_shard_cut_off_anywhere_is_read_up_to_its_last_whole_batch(tmp_path: Path) -> None:
    whole, ends = tmp_path / "shard-0.arrow", []
    writer = TraceWriter(tmp_path, worker=0)
    for step in range(6):
        writer.add_span(f"name {step}", step, step + 1.0, step=step)
        writer.flush()
        ends.append(whole.stat().st_size)
    writer.close()
    content = whole.read_bytes()
    for cut in [*range(0, len(content), 97), *ends, len(content)]:
        folder = tmp_path / str(cut)
        folder.mkdir(exist_ok=True)
        (folder / "shard-0.arrow").write_bytes(content[:cut])
        trace = Trace.read(merge(folder))
        expected = [f"name {i}" for i, end in enumerate(ends) if end <= cut]
        assert [trace.table[code] for code in trace.events.name][: len(expected)] == expected
        assert len(trace.events) - len(expected) in (0, 1)  # A batch may be whole before its padding is.


def test_a_fact_cut_off_is_left_out(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path)
    writer.fact("plan", {"stages": 2})
    writer.fact("plan", {"stages": 3})
    writer.fact("other", {})
    path = tmp_path / "facts--1.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    trace = Trace.read(merge(tmp_path))
    assert [fact["name"] for fact in trace.facts] == ["plan", "plan"]
    assert trace.fact("plan") == {"stages": 3}
    assert trace.fact("other") == {}


def test_clock_offsets_move_a_workers_times_and_no_other(tmp_path: Path) -> None:
    for worker in (0, 1):
        writer = TraceWriter(tmp_path, worker=worker)
        writer.add_span("forward", 10.0, 11.0)
        if worker:
            writer.fact("clock_offset", {"seconds": -2.5, "error": 1e-5})
        writer.close()
    trace = Trace.read(merge(tmp_path))
    assert trace.spans("forward", worker=0).intervals == [(10.0, 11.0)]
    assert trace.spans("forward", worker=1).intervals == [(7.5, 8.5)]
    assert trace.events.worker.tolist() == [1, 0]


def test_merging_again_changes_nothing(tmp_path: Path) -> None:
    before = rows(traced(tmp_path, span("run", 1, 2, value=0.0)))
    assert rows(Trace.read(merge(tmp_path))) == before


def test_a_folder_without_events_gives_an_empty_trace(tmp_path: Path) -> None:
    trace = Trace.read(merge(tmp_path))
    assert len(trace.events) == 0
    assert trace.workers == []
    assert trace.names(SPAN) == []
    unmeasured = (trace.wall_seconds, trace.total_seconds, trace.cpu_seconds, trace.prepare_seconds, trace.not_finite)
    assert unmeasured == (None,) * 5


def test_a_counter_that_never_counted_is_none_and_one_that_counted_zero_is_zero(tmp_path: Path) -> None:
    trace = traced(tmp_path, (COUNTER, "samples", 0, 1.0, 1.0, 0.0), (SPAN, "bytes_sent", 0, 1.0, 1.0, 5.0))
    assert trace.total("bytes_sent") is None
    assert trace.total("samples") == 0.0
    assert trace.total("samples", worker=1) is None


@settings(deadline=None, max_examples=50)
@given(st.lists(EVENTS, max_size=20), NAMES, st.sampled_from([None, -1, 0, 1]))
def test_queries_agree_with_a_search_through_all_events(events: list[Event], name: str, worker: int | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), events)
        trace = Trace.read(merge(Path(folder)))
    ordered = rows(trace)
    for kind, query in ((SPAN, trace.spans), (COUNTER, trace.counts), (VALUE, trace.values)):
        fitting = [e for e in ordered if e[0] == kind and e[1] == name and worker in (None, e[2])]
        assert query(name, worker=worker).value.tolist() == [e[7] for e in fitting]
        assert trace.names(kind) == sorted({e[1] for e in ordered if e[0] == kind})
    values = [e[7] for e in ordered if e[0] == VALUE and e[1] == name]
    assert trace.last(name) == (values[-1] if values else None)
    assert trace.workers == sorted({e[2] for e in ordered})


whole = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted)


@settings(deadline=None, max_examples=60)
@given(st.lists(whole, min_size=1, max_size=4), st.lists(whole, max_size=5), st.lists(whole, max_size=2))
def test_times_agree_with_counting_cells_of_a_grid(
    runs: list[list[int]], evaluations: list[list[int]], preparations: list[list[int]]
) -> None:
    names = [("run", runs), ("evaluate", evaluations), ("prepare", preparations)]
    events = [span(name, *interval, worker=i % 2) for name, spans in names for i, interval in enumerate(spans)]
    with tempfile.TemporaryDirectory() as folder:
        trace = traced(Path(folder), *events)
    inside = {name: {cell for start, end in spans for cell in range(start, end)} for name, spans in names}
    active = inside["run"] - inside["evaluate"] - inside["prepare"]
    assert trace.wall_seconds == len(active)
    for until in range(31):
        assert trace.active_seconds(until) == sum(cell < until for cell in active)
    every = [moment for _, spans in names for interval in spans for moment in interval]
    assert trace.total_seconds == max(every) - min(every)


def test_the_cells_own_job_counts_as_the_run_only_where_no_worker_was_launched(tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    alone = traced(tmp_path / "alone", span("job", 0, 10, worker=-1, value=8.0))
    launched = traced(tmp_path, span("job", 0, 10, worker=-1, value=8.0), span("run", 4, 9, value=3.0))
    assert (alone.wall_seconds, alone.cpu_seconds) == (10.0, 8.0)
    assert (launched.wall_seconds, launched.cpu_seconds) == (5.0, 3.0)


def test_cpu_seconds_add_up_over_workers_less_the_evaluations_inside_their_runs(tmp_path: Path) -> None:
    trace = traced(
        tmp_path,
        span("evaluate", 0, 1, worker=0, value=100.0),  # before the run: in nobody's CPU seconds
        span("run", 2, 10, worker=0, value=7.0),
        span("run", 2, 10, worker=1, value=6.0),
        span("evaluate", 4, 6, worker=1, value=2.0),
        span("evaluate", 7, 8, worker=-1, value=50.0),  # in the cell's own process, which has no run
        span("evaluate", 11, 12, worker=1, value=25.0),  # after the run
    )
    assert trace.cpu_seconds == 11.0


def test_cpu_seconds_that_a_worker_did_not_record_are_not_measured(tmp_path: Path) -> None:
    assert traced(tmp_path, span("run", 0, 1, value=1.0), span("run", 0, 1, worker=1)).cpu_seconds is None


def test_preparation_is_the_cells_own(tmp_path: Path) -> None:
    trace = traced(tmp_path, span("prepare", 0, 3, worker=-1), span("prepare", 3, 9, worker=0))
    assert trace.prepare_seconds == 3.0


@pytest.mark.parametrize(("value", "words"), [(math.nan, "loss is nan"), (-math.inf, "loss is -inf")])
def test_the_first_value_that_is_not_finite_is_named(tmp_path: Path, value: float, words: str) -> None:
    trace = traced(tmp_path, (VALUE, "loss", 0, 1.0, 1.0, 0.5), (VALUE, "loss", 0, 2.0, 2.0, value), span("run", 0, 3))
    assert trace.not_finite == words


def test_a_large_trace_takes_under_a_hundred_bytes_an_event(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path, worker=0)
    for step in range(100_000):
        writer.add_span("update", step, step + 1.0, step=step)
    writer.close()
    trace = Trace.read(merge(tmp_path))
    arrays = [array for array in vars(trace.events).values() if isinstance(array, np.ndarray)]
    assert len(arrays) == len(vars(trace.events))
    assert all(array.dtype != object for array in arrays)
    assert sum(array.nbytes for array in arrays) < 100 * len(trace.events)


def test_what_a_worker_does_in_its_own_evaluation_is_no_work(tmp_path: Path) -> None:
    trace = traced(
        tmp_path,
        span("evaluate", 2, 4),
        span("prepare", 0, 1),
        span("evaluate", 3, 5, worker=1),
        *((COUNTER, "bytes_sent", worker, at, at, 1.0) for worker in (0, 1) for at in np.arange(0.5, 6)),
    )
    counted = trace.at_work(trace.counts("bytes_sent"))
    assert [(int(w), float(t)) for w, t in zip(counted.worker, counted.start, strict=True)] == [
        (1, 0.5),
        (0, 1.5),
        (1, 1.5),
        (1, 2.5),
        (0, 4.5),
        (0, 5.5),
        (1, 5.5),
    ]
