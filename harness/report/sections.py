"""The sections of a run's page after its claims: comparisons, convergence, bytes, timelines, parameters, problems."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.records import ComponentSpec, GroupKey
from harness.report import curves
from harness.report.figures import MOST_BANDS, Figure, dots, lines, timeline
from harness.report.markup import Markup, code, details, element, join, section, table
from harness.report.summary import Group, Summary
from harness.report.wording import number
from harness.statistics import estimate

AXES = (("by_time", "seconds of work", "over time"), ("by_step", "step", "over steps"))


def comparisons(summary: Summary) -> Markup:
    """Each suite's table, and a figure for each metric."""
    return section(
        "comparisons", "Comparisons", *(p for s in summary.run.record.suites for p in _suite(summary, s.name))
    )


def _suite(summary: Summary, name: str) -> Iterator[Markup]:
    (title,) = (suite.title for suite in summary.run.record.suites if suite.name == name)
    groups = [group for group in summary.groups if group.suite == name]
    metrics = [m for m in (groups[0].metrics if groups else ()) if any(_shown(g, m) for g in groups)]
    heads = [f"{m} ({summary.units[m]})" if summary.units.get(m) else m for m in metrics]
    rows = [_group(group, metrics) for group in groups]
    yield element("h3", title)
    yield table(
        f"{title}: medians over seeds, and 95 % intervals",
        ("workload", "parallelizer", "device", "done", *heads, "prepare (seconds)"),
        rows,
    )
    yield plots(dots(metric, summary.units.get(metric, ""), groups) for metric in metrics)


def _group(group: Group, metrics: Sequence[str]) -> list[object]:
    done = f"{group.outcomes.get('done', 0)}/{sum(group.outcomes.values())}"
    values = [_measured(group, metric) for metric in metrics]
    return [group.workload, group.parallelizer, group.device, done, *values, number(group.prepare_seconds)]


def _measured(group: Group, metric: str) -> Markup:
    """A median, its interval, and how many cells did not reach their target."""
    found, unreached = group.metrics.get(metric), group.unreached.get(metric, 0)
    parts: list[object] = [number(found.value) if found else "-"]
    if found and found.low < found.high:
        parts.append(element("div", f"{number(found.low)} .. {number(found.high)}", class_="soft"))
    return join([*parts, f" ({unreached} unreached)" if unreached else ""])


def _shown(group: Group, metric: str) -> bool:
    return group.metrics.get(metric) is not None or group.unreached.get(metric, 0) > 0


def convergence(traced: Mapping[GroupKey, curves.Group]) -> Markup:
    """Every value that the traces hold more than once, over time and over steps."""
    figures = list(_convergence(traced))
    said = (
        f"Medians over seeds, the first {curves.MOST_SEEDS} at most. Up to {MOST_BANDS} curves have a band from the "
        "lowest seed to the highest. Time is time of work."
    )
    return section(
        "convergence", "Convergence", element("p", said if figures else "No value was traced."), plots(figures)
    )


def _convergence(traced: Mapping[GroupKey, curves.Group]) -> Iterator[Figure]:
    names = {name: None for group in traced.values() for name in group.by_time}
    several = len({key[3] for key in traced}) > 1
    for suite, workload in dict.fromkeys(key[:2] for key in traced):
        for name in names:
            for attribute, axis, how in AXES:
                found = {
                    f"{key[2]}, {key[3]}" if several else key[2]: curve
                    for key, group in traced.items()
                    if key[:2] == (suite, workload)
                    and (curve := curves.curve(getattr(group, attribute).get(name, []))) is not None
                }
                if found:
                    yield lines(f"{workload}: {name} {how}", axis, name, found)


def sent(traced: Mapping[GroupKey, curves.Group]) -> Markup:
    """Bytes that workers sent, and that interfaces counted."""
    rows = [
        [key[1], key[2], key[3], *(_bytes(group.bytes.get(name)) for name in curves.BYTES)]
        for key, group in traced.items()
        if group.bytes
    ]
    heads = ("workload", "parallelizer", "device", "bytes sent", "bytes on the link")
    found = (
        table(f"Medians over seeds, the first {curves.MOST_SEEDS} at most", heads, rows)
        if rows
        else element("p", "No cell counted bytes.")
    )
    return section("bytes", "Bytes", found)


def _bytes(totals: list[float] | None) -> str:
    return f"{estimate(totals, ratio=False).value:,.0f}" if totals else "-"


def timelines(traced: Mapping[GroupKey, curves.Group]) -> Markup:
    """The first spans of one cell of each group that launched workers."""
    kinds = list(dict.fromkeys(span.name for group in traced.values() for span in group.timeline))
    figures = [timeline(group.timeline_of, group.timeline, kinds) for group in traced.values() if group.timeline]
    said = f"The first {curves.MOST_SPANS} spans of one cell of each group; a thin line encloses those below it."
    found = element("p", said if figures else "No cell launched workers.")
    return section("timeline", "Timeline", found, plots(figures))


def parameters(summary: Summary) -> Markup:
    """Every component with its parameters, and the suites as they were."""
    found: dict[tuple[str, str], ComponentSpec] = {}
    for cell in summary.run.record.cells:
        for kind in ("workload", "parallelizer", "device"):
            component: ComponentSpec = getattr(cell, kind)
            found.setdefault((kind, component.label), component)
    rows = [
        [c.label, kind, c.name, json.dumps(c.parameters) if c.parameters else "-"] for (kind, _), c in found.items()
    ]
    suites = [details(f"Suite {suite.name}", code(suite.text)) for suite in summary.run.record.suites]
    return section(
        "parameters", "Parameters", table("Components", ("label", "kind", "name", "parameters"), rows), *suites
    )


def environment(summary: Summary) -> Markup:
    """The machine and the versions."""
    rows = list(summary.run.record.environment.items())
    return section("environment", "Environment", table("Where it ran", ("what", "value"), rows))


def problems(summary: Summary) -> Markup:
    """What was not run, failed, or could not be read, with the last of its output."""
    found = [element("p", problem) for problem in summary.run.problems]
    found += [
        details(
            f"{result.outcome}: {result.cell.id}: {result.reason}",
            code(result.output or "It printed nothing."),
        )
        for result in summary.results.values()
        if result.outcome != "done"
    ]
    if summary.missing:
        found.append(element("p", f"{summary.missing} cells have not run."))
    return section("problems", "Problems", *(found or [element("p", "None: every cell is done.")]))


def plots(figures: Iterable[Figure | None]) -> Markup:
    """Figures beside each other, as many as there are."""
    return element("div", *(f.html for f in figures if f is not None), class_="plots")
