"""A run's tables in the terminal: comparisons, then claims, then what went wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.records import ClaimResult
from harness.report.summary import Group, Summary
from harness.statistics import Estimate

STYLES = {"holds": "green", "falls short": "red", "inconclusive": "yellow", "not measured": "dim"}


def show(summary: Summary, console: Console) -> None:
    """Print everything about a run."""
    for suite in summary.run.record.suites:
        groups = [g for g in summary.groups if g.suite == suite.name]
        console.print(comparisons(suite.title, groups))
    if summary.claims:
        console.print(claims_table(summary.claims))
    for line in _troubles(summary):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(f"Run: {escape(str(summary.run.folder))}", highlight=False, soft_wrap=True)


def comparisons(title: str, groups: list[Group]) -> Table:
    """A row for each combination: the median of each metric over its seeds, with half the interval's width."""
    labels = [label for label in (groups[0].metrics if groups else ()) if any(_shown(g, label) for g in groups)]
    devices = len({g.device for g in groups}) > 1
    table = Table(title=escape(title), title_justify="left", header_style="bold", row_styles=["", "dim"])
    for heading in ["workload", "parallelizer", *(["device"] if devices else []), "done"]:
        table.add_column(heading, overflow="fold")
    for label in [*labels, "prepare"]:
        table.add_column(label, justify="right", overflow="fold")
    previous = ""
    for group in groups:
        cells = [] if group.workload == previous else [escape(group.workload)]
        row = [*(cells or [""]), escape(group.parallelizer), *([escape(group.device)] if devices else []), _done(group)]
        table.add_row(*row, *(_metric(group, label) for label in labels), number(group.prepare_seconds))
        previous = group.workload
    return table


def claims_table(claims: Iterable[ClaimResult]) -> Table:
    """What the papers say, what was measured here, and whether it holds."""
    table = Table(title="Claims", title_justify="left", header_style="bold", show_lines=True)
    table.add_column("claim", overflow="fold", ratio=3)
    for heading in ("paper", "here", "95 % interval", "pairs", "holds if", "verdict"):
        table.add_column(heading, overflow="fold")
    for claim in claims:
        style = STYLES[claim.verdict]
        reason = f"\n[dim]{escape(claim.reason)}[/dim]" if claim.reason else ""
        paper = "-" if claim.paper is None else escape(str(claim.paper))
        table.add_row(
            f"[bold]{escape(claim.id)}[/bold]\n{escape(claim.says)} [dim]({escape(claim.source)})[/dim]{reason}",
            paper + (f"\n[dim]{claim.evidence}[/dim]" if claim.evidence else ""),
            number(claim.measured),
            "-" if claim.low is None else f"{number(claim.low)} .. {number(claim.high)}",
            str(claim.pairs) + (f"\n{claim.unreached} unreached" if claim.unreached else ""),
            escape(claim.holds),
            f"[{style}]{claim.verdict}[/{style}]",
        )
    return table


def number(value: float | None) -> str:
    """Three or four significant digits, or a dash."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.4g}"
    return f"{value:.2e}"


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
