"""A run's tables in the terminal: comparisons, then claims, then what went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.records import ClaimResult
from harness.report import wording
from harness.report.output import table
from harness.report.summary import Group, Summary
from harness.report.wording import number
from harness.statistics import Estimate

if TYPE_CHECKING:
    from harness.compare import Change

STYLES = {"holds": "green", "falls short": "red", "inconclusive": "yellow", "not measured": "dim"}


def show(summary: Summary, console: Console) -> None:
    """Print everything about a run."""
    for suite in summary.run.record.suites:
        groups = [g for g in summary.groups if g.suite == suite.name]
        for part in comparisons(suite.title, groups, summary.units, console.width):
            console.print(part)
    if summary.claims:
        console.print(claims_table(summary.claims))
    for line in _troubles(summary):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(f"Run: {escape(str(summary.run.folder))}", highlight=False, soft_wrap=True)


def comparisons(title: str, groups: Sequence[Group], units: Mapping[str, str], width: int) -> Iterator[Table]:
    """A row for each combination: each metric's median over its seeds, and half the interval's width.

    Metrics that do not fit beside each other go into a table of their own.
    """
    metrics = {
        label: [_metric(group, label) for group in groups]
        for label in (groups[0].metrics if groups else ())
        if any(_shown(group, label) for group in groups)
    }
    units = {**units, "prepare": "seconds"}
    metrics["prepare"] = [number(group.prepare_seconds) for group in groups]
    heads = _heads(groups)
    room = width - sum(_width(name, cells) for name, cells in heads.items())
    widths = {name: max(_width(name, cells), len(units.get(name, "")) + 3) for name, cells in metrics.items()}
    for part in _fitting(widths, room):
        table = Table(title=escape(title), title_justify="left", header_style="bold", box=SIMPLE_HEAD)
        for name in heads:
            table.add_column(name, overflow="fold")
        for name in part:
            table.add_column(f"{name}\n[dim]{escape(units.get(name, ''))}[/dim]", justify="right", no_wrap=True)
        for i in range(len(groups)):
            table.add_row(*(cells[i] for cells in heads.values()), *(metrics[name][i] for name in part))
        yield table


def _heads(groups: Sequence[Group]) -> dict[str, list[str]]:
    """What names a row: only what tells rows apart, a workload once for all of its rows."""
    workloads = [group.workload for group in groups]
    repeated = [i > 0 and workloads[i - 1] == workload for i, workload in enumerate(workloads)]
    heads = {
        "workload": ["" if again else escape(w) for w, again in zip(workloads, repeated, strict=True)],
        "parallelizer": [escape(group.parallelizer) for group in groups],
    }
    if len({group.device for group in groups}) > 1:
        heads["device"] = [escape(group.device) for group in groups]
    return {**heads, "done": [_done(group) for group in groups]}


def _fitting(widths: Mapping[str, int], room: int) -> Iterator[list[str]]:
    """Columns in their order, as many at a time as have room."""
    part: list[str] = []
    left = room
    for name, width in widths.items():
        if part and width > left:
            yield part
            part, left = [], room
        part.append(name)
        left -= width
    yield part


def _width(name: str, cells: Iterable[str]) -> int:
    return max([len(name), *map(len, cells)]) + 3


def claims_table(claims: Iterable[ClaimResult]) -> Table:
    """What the papers say, what was measured here, and whether it holds."""
    table = Table(title="Claims", title_justify="left", header_style="bold", show_lines=True)
    table.add_column("claim", overflow="fold", ratio=3)
    for heading in ("paper", "here", "95 % interval", "pairs", "holds if", "verdict"):
        table.add_column(heading, overflow="fold")
    said = ""
    for claim in claims:
        style = STYLES[claim.verdict]
        reason = f"\n[dim]{escape(claim.reason)}[/dim]" if claim.reason else ""
        text = f"\n{escape(claim.says)} [dim]({escape(claim.source)})\n{escape(claim.measure)}[/dim]"
        table.add_row(
            f"[bold]{escape(claim.id)}[/bold]{'' if text == said else text}{reason}",
            escape(wording.paper(claim)),
            number(claim.measured),
            wording.interval(claim),
            wording.pairs(claim),
            escape(claim.holds),
            f"[{style}]{claim.verdict}[/{style}]",
        )
        said = text
    return table


def _shown(group: Group, label: str) -> bool:
    return group.metrics[label] is not None or group.unreached[label] > 0


def _metric(group: Group, label: str) -> str:
    measured, unreached = group.metrics[label], group.unreached[label]
    text = _spread(measured) if measured else "-"
    return f"{text} ({unreached} unreached)" if unreached else text


def _spread(measured: Estimate) -> str:
    half = (measured.high - measured.low) / 2
    return number(measured.value) if half == 0 else f"{number(measured.value)} ±{half:.1g}"


def _done(group: Group) -> str:
    total = sum(group.outcomes.values())
    return f"{group.outcomes.get('done', 0)}/{total}"


def _troubles(summary: Summary) -> list[str]:
    """One line for each reason, with how many cells it met."""
    lines = [f"[yellow]{escape(problem)}[/yellow]" for problem in summary.run.problems]
    reasons: dict[tuple[str, str], list[str]] = {}
    for result in summary.results.values():
        if result.outcome != "done":
            reasons.setdefault((result.outcome, result.reason), []).append(result.cell.id)
    for (outcome, reason), cells in reasons.items():
        count = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
        lines.append(f"[yellow]{outcome}[/yellow] {escape(cells[0])}{count}: {escape(reason)}")
    return lines


def changes_table(changes: Sequence[Change]) -> Table:
    """What changed from A to B."""
    heads = ("cells", "metric", "B / A", "95 % interval", "pairs", "verdict")
    rows = [
        (c.cells, c.metric, number(c.ratio), f"{number(c.low)} .. {number(c.high)}", str(c.pairs), c.verdict)
        for c in changes
    ]
    return table([dict(zip(heads, row, strict=True)) for row in rows], heads)
