from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from harness.report.export import to_perfetto, write_csv
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


class Row(BaseModel):
    """What the Trace Event Format (Google, 2016) says of every event; times are in microseconds."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    name: str
    pid: int
    tid: int = Field(ge=0)
    args: dict[str, Any]


class Complete(Row):
    ph: Literal["X"]
    ts: float = Field(ge=0)
    dur: float = Field(ge=0)


class Counter(Row):
    ph: Literal["C"]
    ts: float = Field(ge=0)
    id: int
    args: dict[str, float]


class Metadata(Row):
    ph: Literal["M"]
    name: Literal["thread_name", "process_name"]
    args: dict[Literal["name"], str]


class TraceFile(BaseModel):
    """The object form of a trace's file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    traceEvents: list[Annotated[Complete | Counter | Metadata, Field(discriminator="ph")]]
    displayTimeUnit: Literal["ms", "ns"]


def test_the_export_follows_the_trace_event_format(trace: Trace) -> None:
    text = json.dumps(to_perfetto(trace), allow_nan=False)
    read = TraceFile.model_validate_json(text)
    assert len(read.traceEvents) == 7
    assert json.loads(text) == json.loads(read.model_dump_json())


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
