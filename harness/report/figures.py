"""Figures as plotly's JSON: what the stored results and traces hold, as numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from harness.report.curves import Curve, Span
from harness.report.markup import Markup, element
from harness.report.summary import Group

# After Okabe and Ito, for every kind of colour vision; each at least 3 to 1 against the page, light or dark.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a63d2", "#b98000", "#8a8a8a", "#3098d0")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
PATTERNS = ("", "/", ".", "x")  # for kinds of spans beyond the colours
THICK, THIN = (-0.35, 0.6), (0.32, 0.08)  # offset and width of a bar, in rows
MOST_BANDS = 5  # more of them, one over another, hide the lines
WIDE = 100.0  # a range of values that only a logarithmic axis shows


@dataclass(frozen=True)
class Figure:
    """A figure: its title, plotly's traces, and its axes."""

    title: str
    traces: list[dict[str, Any]]
    x: dict[str, Any]
    y: dict[str, Any]
    height: int = 340

    @property
    def html(self) -> Markup:
        """The place of the figure and its data; the page's script draws it when it comes into view."""
        data = {"data": self.traces, "layout": {"xaxis": self.x, "yaxis": self.y, "height": self.height}}
        plot = element("div", class_="plot", role="img", aria_label=self.title, style=f"min-height:{self.height}px")
        stored = Markup(f'<script type="application/json">{script_json(data)}</script>')
        return element("figure", element("figcaption", self.title), plot, stored)


def script_json(thing: Any) -> str:
    """JSON that cannot end the script element around it."""
    return json.dumps(thing, separators=(",", ":")).replace("</", "<\\/").replace("<!--", "<\\u0021--")


def dots(metric: str, unit: str, groups: Sequence[Group]) -> Figure | None:
    """A dot with its interval for each group: a row for each parallelizer, a mark for each workload."""
    shown = [group for group in groups if group.metrics.get(metric) is not None]
    if not shown:
        return None
    several = len({group.device for group in groups}) > 1
    rows = list(dict.fromkeys(_row(group, several) for group in shown))
    workloads = list(dict.fromkeys(group.workload for group in shown))
    traces = [
        _dots([g for g in shown if g.workload == workload], metric, rows, several, i, len(workloads))
        for i, workload in enumerate(workloads)
    ]
    values = [x for trace in traces for x in trace["x"]]
    ticks = {"tickvals": list(range(len(rows))), "ticktext": [escape(row, quote=False) for row in rows]}
    axis = {**ticks, "range": [len(rows) - 0.5, -0.5], "automargin": True}
    title = f"{metric} in {unit}" if unit and unit != metric else metric
    height = 130 + 26 * len(rows) + 6 * len(shown)
    return Figure(title, traces, {"title": {"text": _label(unit)}, **_scale(values)}, axis, height)


def _dots(
    groups: Sequence[Group], metric: str, rows: Sequence[str], several: bool, index: int, of: int
) -> dict[str, Any]:
    found = [estimate for group in groups if (estimate := group.metrics[metric]) is not None]
    shift = (index - (of - 1) / 2) * 0.7 / of
    return {
        "type": "scatter",
        "mode": "markers",
        "name": _label(groups[0].workload),
        "x": [e.value for e in found],
        "y": [rows.index(_row(group, several)) + shift for group in groups],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [e.high - e.value for e in found],
            "arrayminus": [e.value - e.low for e in found],
        },
        "marker": {"color": COLOURS[index % len(COLOURS)], "symbol": SYMBOLS[index % len(SYMBOLS)], "size": 9},
        "hovertemplate": "%{x}",
    }


def _row(group: Group, several: bool) -> str:
    return f"{group.parallelizer}, {group.device}" if several else group.parallelizer


def lines(title: str, x: str, y: str, curves: Mapping[str, Curve]) -> Figure:
    """A line for each of the curves, in a band from its lowest to its highest seed where that stays readable."""
    banded = len(curves) <= MOST_BANDS
    traces = [trace for i, (name, curve) in enumerate(curves.items()) for trace in _line(name, curve, i, banded=banded)]
    values = [value for curve in curves.values() for value in curve.low.tolist()]
    axis = {"title": {"text": _label(y)}, "automargin": True, **_scale(values)}
    return Figure(title, traces, {"title": {"text": _label(x)}}, axis, 360 + 12 * len(curves))


def _line(name: str, curve: Curve, index: int, *, banded: bool) -> list[dict[str, Any]]:
    colour = COLOURS[index % len(COLOURS)]
    x = _digits(curve.x.tolist())
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": _label(name),
        "x": x,
        "y": _digits(curve.median.tolist()),
        "line": {"color": colour, "dash": DASHES[index % len(DASHES)]},
    }
    if not banded or (curve.low == curve.high).all():
        return [line]
    band = {
        "type": "scatter",
        "x": x + x[::-1],
        "y": _digits(curve.low.tolist() + curve.high.tolist()[::-1]),
        "fill": "toself",
        "fillcolor": colour + "1a",
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    return [band, line]


def timeline(title: str, spans: Sequence[Span], kinds: Sequence[str]) -> Figure:
    """A bar for each span, a row for each worker; a kind has the colour of its place in ``kinds``."""
    workers = sorted({span.worker for span in spans})
    traces = [
        _bars(kind, index, [span for span in spans if span.name == kind], workers)
        for index, kind in enumerate(kinds)
        if any(span.name == kind for span in spans)
    ]
    labels = [f"worker {worker}" for worker in workers]
    axis = {"tickvals": list(range(len(workers))), "ticktext": labels, "automargin": True}
    end = max((span.start + span.seconds for span in spans if not span.encloses), default=0.0)
    time = {"title": {"text": "seconds since the work began"}, "range": _digits([0, end])}
    return Figure(title, traces, time, axis, 180 + 40 * len(workers))


def _bars(kind: str, index: int, spans: Sequence[Span], workers: Sequence[int]) -> dict[str, Any]:
    """The spans of one kind; those that enclose others are thin lines above them."""
    again = index // len(COLOURS)
    return {
        "type": "bar",
        "orientation": "h",
        "name": _label(kind),
        "base": _digits([span.start for span in spans]),
        "x": _digits([span.seconds for span in spans]),
        "y": [workers.index(span.worker) for span in spans],
        "offset": [THIN[0] if span.encloses else THICK[0] for span in spans],
        "width": [THIN[1] if span.encloses else THICK[1] for span in spans],
        "marker": {
            "color": COLOURS[index % len(COLOURS)],
            "pattern": {"shape": PATTERNS[again % len(PATTERNS)]},
        },
    }


def _digits(values: Sequence[float]) -> list[float]:
    """Six digits: more than a screen shows, in a small file."""
    return [float(f"{value:.6g}") for value in values]


def _scale(values: Sequence[float]) -> dict[str, Any]:
    wide = bool(values) and min(values) > 0 and max(values) / min(values) > WIDE
    return {"type": "log", "dtick": 1, "exponentformat": "power"} if wide else {"type": "linear"}


def _label(text: str) -> str:
    """Plotly reads a little HTML in its labels; ours are text."""
    return escape(text, quote=False)
