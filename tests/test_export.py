from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest

from harness.export import to_perfetto, write_csv
from harness.trace import TraceWriter
from harness.tracefile import Trace, merge


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    """A cell's own process and one worker, with every kind of event; time starts at 50 s."""
    cell = TraceWriter(tmp_path, clock=lambda: 50.0)
    cell.add_span("prepare", 50.0, 50.5)
    cell.close()
    times = iter([50.0, 51.0, 52.0, 53.0, 54.0])
    worker = TraceWriter(tmp_path, worker=0, clock=lambda: next(times))
    worker.count("bytes_sent", 100, peer=1)
    worker.count("bytes_sent", 50, peer=1)
    worker.value("loss", 0.25, step=4)
    worker.value("loss", math.nan)
    worker.add_span("forward", 51.0, 51.25, step=4, peer=1)
    worker.close()
    return Trace.read(merge(tmp_path))


def test_spans_become_complete_events_in_microseconds_from_the_first_event(trace: Trace) -> None:
    spans = [row for row in to_perfetto(trace)["traceEvents"] if row["ph"] == "X"]
    assert [(s["name"], s["ts"], s["dur"], s["args"]) for s in spans] == [
        ("prepare", 0.0, 0.5e6, {}),
        ("forward", 1e6, 0.25e6, {"step": 4, "peer": 1}),
    ]


def test_counters_are_running_totals_and_values_stand_as_they_are(trace: Trace) -> None:
    rows = [row for row in to_perfetto(trace)["traceEvents"] if row["ph"] == "C"]
    assert [(row["ts"], row["args"]) for row in rows] == [
        (1e6, {"bytes_sent": 100.0}),
        (2e6, {"bytes_sent": 150.0}),
        (3e6, {"loss": 0.25}),
    ]


def test_each_worker_is_a_named_thread_with_a_number_that_is_not_negative(trace: Trace) -> None:
    rows = to_perfetto(trace)["traceEvents"]
    names = {row["tid"]: row["args"]["name"] for row in rows if row["ph"] == "M"}
    assert names == {0: "cell", 1: "worker 0"}
    assert {row["tid"] for row in rows} == set(names)


def test_the_perfetto_trace_is_strict_json(trace: Trace) -> None:
    assert json.loads(json.dumps(to_perfetto(trace), allow_nan=False))["displayTimeUnit"] == "ms"


def test_csv_has_a_row_for_each_event_that_reads_back(trace: Trace) -> None:
    file = io.StringIO()
    write_csv(trace, file)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert [(row["kind"], row["name"]) for row in rows].count(("counter", "bytes_sent")) == 2
    for name in ("worker", "peer", "step", "start", "end"):
        assert [float(row[name]) for row in rows] == getattr(trace.events, name).tolist()


def test_an_empty_trace_exports_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert to_perfetto(Trace.read(merge(tmp_path / "empty")))["traceEvents"] == []
