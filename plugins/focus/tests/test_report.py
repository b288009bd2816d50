"""The report's section, from traces as cells leave them."""

import json
import re

import pytest

from harness import TraceWriter
from harness.tracefile import merge
from harness_focus import savings
from harness_focus.report import TITLE, sections


class Cell:
    def __init__(self, way, seed, workload="<b>a stream", metrics=None, **parameters):
        self.suite, self.seed, self.id = "focus", seed, f"{workload}/{way}/{seed}"
        self.workload, self.parallelizer = Label(workload, parameters), Label(way, {})
        self.outcome, self.metrics = "done", metrics


class Label:
    def __init__(self, label, parameters):
        self.label = self.name = label
        self.parameters = parameters


class Run:
    """As much of a run as the section reads."""

    def __init__(self, folder, cells):
        self.folder, self.record, self.cells = folder, self, cells

    def cell_folder(self, cell):
        return self.folder / re.sub(r"\W", "-", cell.id)

    def result(self, cell):
        return cell if cell.metrics else None


POINTS = [{"ingest": 3.0, "query": 40.0}, {"ingest": 1.0, "query": 90.0}, {"ingest": 2.0, "query": 70.0}]


def left(run, cell, taken, *, scale=1.0):
    folder = run.cell_folder(cell)
    folder.mkdir(parents=True)
    trace = TraceWriter(folder)
    if taken is not None:
        points = [
            {**point, "ingest": scale * point["ingest"], "setting": f"net {n}", "taken": n == taken}
            for n, point in enumerate(POINTS)
        ]
        trace.fact("front", {"points": points, "met": True})
    trace.close()
    merge(folder)


def drawn(html):
    (stored,) = re.findall(r'<script type="application/json">(.*?)</script>', html)
    return {t["name"]: list(zip(t["x"], t["y"], strict=True)) for t in json.loads(stored)["data"] if "name" in t}


@pytest.fixture
def run(tmp_path):
    cells = [Cell("opt-ingest", 0), Cell("opt-query", 0), Cell("query-all", 0), Cell("opt-ingest", 1)]
    run = Run(tmp_path, cells)
    for cell, taken in zip(cells, (1, 0, None, 2), strict=True):
        left(run, cell, taken, scale=1 + cell.seed)
    return run


def test_the_front_is_drawn_with_what_each_policy_took(run):
    ((title, html),) = sections(run)
    assert title == TITLE
    assert drawn(html) == {
        "the front": [(1.0, 90.0), (2.0, 70.0), (3.0, 40.0)],
        "opt-ingest": [(1.0, 90.0)],
        "opt-query": [(3.0, 40.0)],
    }, "of the first seed alone"


def test_labels_of_suites_stay_text(run):
    ((_, html),) = sections(run)
    assert "<b>" not in html
    assert "&lt;b&gt;a stream" in html


def test_a_run_that_chose_nothing_has_no_section(tmp_path):
    cells = [Cell("query-all", 0), Cell("ingest-all", 0)]
    run = Run(tmp_path, cells)
    left(run, cells[0], None)
    assert sections(run) == []


def streams(*minutes):
    for length in minutes:
        for seed in range(3):
            focus = {"ingest_cost": 2.0, "query_latency": 1.0 + seed, "precision": 1.0, "recall": 0.96}
            yield Cell("focus", seed, metrics=focus, minutes=length)
            yield Cell("ingest-all", seed, metrics={"ingest_cost": 20.0 * length}, minutes=length)
            yield Cell("noscope", seed, metrics={"query_latency": 6.0 * length, "ingest_cost": 0.0}, minutes=length)
            yield Cell("query-all", seed, minutes=length)


def test_savings_are_drawn_over_the_length_as_medians_of_ratios(tmp_path):
    ((title, html),) = savings.sections(Run(tmp_path, list(streams(30, 5))))
    assert title == savings.TITLE
    assert drawn(html) == {
        "ingest, ingest-all over focus": [(5, 50), (30, 300)],
        "a query, noscope over focus": [(5, 15), (30, 90)],
    }, "what was not measured has no line"


def test_savings_of_queries_leave_out_streams_whose_answers_are_not_right(tmp_path):
    cells = list(streams(30, 5))
    for cell in cells:
        if cell.parallelizer.name == "focus" and cell.seed > 0:
            cell.metrics["recall"] = 0.94
    ((_, html),) = savings.sections(Run(tmp_path, cells))
    assert drawn(html) == {
        "ingest, ingest-all over focus": [(5, 50), (30, 300)],
        "a query, noscope over focus": [(5, 30), (30, 180)],
    }


def test_streams_of_one_length_have_no_curve(tmp_path):
    assert savings.sections(Run(tmp_path, list(streams(5)))) == []
