"""The first section of a run's page: every claim, each opening to what it rests on."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from harness.formula import Formula
from harness.pairing import expand, pairings
from harness.records import CellResult, CellSpec, ClaimResult, ClaimSpec
from harness.registry import Registry
from harness.report import wording
from harness.report.figures import dots
from harness.report.markup import Markup, code, details, element, join, section, table
from harness.report.sections import plots
from harness.report.summary import Summary

MARKS = {"holds": "✓", "falls short": "✗", "inconclusive": "?", "not measured": "–"}


def claims(summary: Summary, registry: Registry) -> Markup:
    """What the papers say, what was measured, and the cells that say so."""
    if not summary.claims:
        return section("claims", "Claims", element("p", "The suites make no claim."))
    rows = [_claim(summary, *one, registry) for one in zip(summary.claims, _used(summary), strict=True)]
    heads = ("claim", "verdict", "paper", "here", "95 % interval", "pairs", "holds if")
    every = element("div", table("What the papers say", heads, rows), class_="claims")
    return section("claims", "Claims", *([_tally(summary)] if len(summary.verdicts) > 1 else []), every)


def _tally(summary: Summary) -> Markup:
    """How many claims of each suite have which verdict."""
    told = {title: ", ".join(f"{v} {counts[v]}" for v in MARKS if v in counts) for title, counts in summary.verdicts}
    return element("ul", *(element("li", f"{title}: {verdicts or 'no claim'}") for title, verdicts in told.items()))


def _used(summary: Summary) -> Iterator[tuple[ClaimSpec, list[CellSpec]]]:
    """Each claim as its suite has it, with the cells of its pairs, in the order of the claims."""
    for suite in summary.run.record.suites:
        cells = [cell for cell in summary.run.record.cells if cell.suite == suite.name]
        for claim in suite.claims:
            for one, among in expand(claim, cells):
                units = pairings(one, among, summary.results)
                yield one, list({cell.id: cell for unit in units for cell in unit.values()}.values())


def _claim(
    summary: Summary, claim: ClaimResult, used: tuple[ClaimSpec, Sequence[CellSpec]], registry: Registry
) -> list[object]:
    spec, cells = used
    suite = element("span", f" {claim.suite}", class_="soft") if len(summary.run.record.suites) > 1 else ""
    says = element("div", claim.says, " ", element("span", f"({claim.source})", class_="soft"))
    reason = element("div", claim.reason, class_="soft") if claim.reason else ""
    measure = element("div", claim.measure, class_="soft")
    opened = details(f"{len(cells)} cells", *_evidence(summary, spec, cells, registry))
    verdict = element(
        "span", MARKS[claim.verdict], " ", claim.verdict, class_=f"verdict {claim.verdict.replace(' ', '-')}"
    )
    return [
        join([element("strong", claim.id), suite, says, measure, reason, opened]),
        verdict,
        wording.paper(claim),
        wording.number(claim.measured),
        wording.interval(claim),
        wording.pairs(claim),
        claim.holds,
    ]


def _evidence(summary: Summary, claim: ClaimSpec, cells: Sequence[CellSpec], registry: Registry) -> Iterator[Markup]:
    """What a claim rests on: the command that repeats it, a figure for each metric of its measure, its cells."""
    if cells:
        files = {suite.name: suite.file for suite in summary.run.record.suites}
        yield code(command(cells, registry, files[cells[0].suite]))
    metrics = dict.fromkeys(metric for _, metric in Formula.parse(claim.measure).names)
    within = {cell.group for cell in cells}
    groups = [group for group in summary.groups if group.key in within]
    yield plots(dots(metric, summary.units.get(metric, ""), groups) for metric in metrics)
    yield element("ul", *(_cell(cell, summary.results.get(cell.id)) for cell in cells))


def _cell(cell: CellSpec, result: CellResult | None) -> Markup:
    outcome = result.outcome if result else "not run"
    return element("li", cell.id, "" if outcome == "done" else f": {outcome}")


def command(cells: Sequence[CellSpec], registry: Registry, file: str) -> str:
    """The command that runs these cells of a suite's file again: the narrowest glob that fits them all."""
    suite = cells[0].suite
    name = suite if suite in registry.names("suite") else file or f"{suite}.toml"
    parts = [cell.id.split("/") for cell in cells]
    if len({len(part) for part in parts}) > 1:
        return shlex.join(["harness", "run", name])
    same = [column[0] if len(set(column)) == 1 else None for column in zip(*parts, strict=True)]
    glob = "/".join("*" if part is None else re.sub(r"([*?[])", r"[\1]", part) for part in same)
    return shlex.join(["harness", "run", name, "--only", glob])
