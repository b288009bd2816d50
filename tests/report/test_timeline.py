"""Timelines: the start of the work, a colour a kind, and nothing drawn over what lies inside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report import curves, sections
from harness.report.curves import Span
from harness.report.figures import COLOURS, timeline
from harness.trace import SPAN
from harness.tracefile import Events, Trace
from tests.report.conftest import Parsed

PAGES = {"light": "#ffffff", "dark": "#0d1117"}
NON_TEXT = 3.0  # WCAG 2.2, success criterion 1.4.11
Row = tuple[int, str, float, float]


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("colour", COLOURS)
def test_every_colour_stands_out_from_the_page(colour: str, page: str) -> None:
    low, high = sorted((luminance(colour), luminance(PAGES[page])))
    assert (high + 0.05) / (low + 0.05) >= NON_TEXT


def traced(spans: Sequence[Row]) -> Trace:
    """The trace that workers' spans (worker, name, start, end) make."""
    ordered = sorted(spans, key=lambda span: span[2])
    table = sorted({name for _, name, _, _ in ordered})
    worker, name, start, end = (np.array(column) for column in zip(*ordered, strict=True))
    none = np.full(len(ordered), -1)
    kind, names = np.full(len(ordered), SPAN), np.searchsorted(table, name).astype(np.int32)
    events = Events(kind, names, worker, none, none, start.astype(float), end.astype(float), np.zeros(len(ordered)))
    return Trace(events, table, [])


@pytest.fixture
def spans() -> list[Span]:
    work = [(r, name, 10 + a, 10 + b) for r in (0, 1) for name, a, b in (("forward", 0, 2), ("backward", 2, 6))]
    ran = [(r, "run", 8, 20) for r in (0, 1)]
    more = [(0, "prepare", 8.5, 9.5), (0, "all_reduce", 13, 14), (1, "update", 17, 17), (-1, "job", 0, 30)]
    return curves.spans(traced([*work, *ran, *more]))


def test_a_timeline_begins_with_the_work_and_leaves_out_what_came_before_and_what_took_no_time(
    spans: list[Span],
) -> None:
    assert {(s.worker, s.name, s.start, s.seconds) for s in spans} == {
        (0, "run", -2.0, 12.0),
        (1, "run", -2.0, 12.0),
        (0, "forward", 0.0, 2.0),
        (1, "forward", 0.0, 2.0),
        (0, "backward", 2.0, 4.0),
        (1, "backward", 2.0, 4.0),
        (0, "all_reduce", 3.0, 1.0),
    }


def test_spans_with_others_of_their_worker_inside_are_marked(spans: list[Span]) -> None:
    assert {(s.worker, s.name) for s in spans if s.encloses} == {(0, "run"), (1, "run"), (0, "backward")}


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6), st.integers(0, 5), st.booleans()), min_size=1))
def test_marking_agrees_with_comparing_every_two_spans(drawn: list[tuple[int, int, int, bool]]) -> None:
    ends, now = {worker: [10**6] for worker in range(3)}, dict.fromkeys(range(3), 0)
    found = {}
    for worker, seconds, gap, descends in drawn:
        start = now[worker] + gap
        while ends[worker][-1] <= start:
            ends[worker].pop()
        end = min(start + seconds, ends[worker][-1])
        ends[worker].append(end)
        now[worker] = start if descends else end
        found[worker, start, end] = (worker, "work", start, end)  # of two alike, either may enclose the other
    events = traced(list(found.values())).events
    alike = list(zip(events.worker, events.start, events.end, strict=True))
    right = [any(w == v and a <= c and d <= b and (a, b) != (c, d) for v, c, d in alike) for w, a, b in alike]
    assert curves.enclosing(events).tolist() == right


def test_what_encloses_others_is_drawn_apart_from_them(spans: list[Span]) -> None:
    figure = timeline("cell", spans, sorted({s.name for s in spans}))
    rows: dict[bool, set[tuple[float, float]]] = {True: set(), False: set()}
    for trace in figure.traces:
        named = [s for s in spans if s.name == trace["name"]]
        for span, offset, width in zip(named, trace["offset"], trace["width"], strict=True):
            rows[span.encloses].add((offset, offset + width))
    assert max(high for _, high in rows[False]) < min(low for low, _ in rows[True])
    assert max(high for _, high in rows[True]) - min(low for low, _ in rows[False]) < 1


def test_a_kind_has_one_look_over_the_whole_page_and_no_two_kinds_the_same() -> None:
    kinds = [f"kind {i}" for i in range(2 * len(COLOURS))]
    groups = {
        ("suite", "workload", str(first), "device"): curves.Group(
            timeline_of=f"cell {first}",
            timeline=[Span(kind, 0, float(i), 1.0) for i, kind in enumerate(kinds[first:])],
        )
        for first in (0, 3, 5)
    }
    parser = Parsed()
    parser.feed(sections.timelines(groups))
    looks: dict[str, set[tuple[str, str]]] = {}
    for figure in parser.figures:
        for trace in figure["data"]:
            look = (trace["marker"]["color"], trace["marker"]["pattern"]["shape"])
            looks.setdefault(trace["name"], set()).add(look)
    assert [len(found) for found in looks.values()] == [1] * len(kinds)
    assert len(set.union(*looks.values())) == len(kinds)
