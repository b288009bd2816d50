"""A run's claims in Markdown, with the machine and the versions: what is kept in the documentation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from harness.errors import HarnessError
from harness.records import ClaimResult
from harness.report import wording
from harness.report.summary import Summary
from harness.report.verdicts import MARKS
from harness.store import write_atomically

HEADS = ("claim", "paper", "here", "95 % interval", "pairs", "holds if", "verdict")
SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|#&~"})


def write_markdown(summary: Summary, path: Path) -> None:
    """Write a run's claims, whole or not at all."""
    if not path.parent.is_dir():
        raise HarnessError("no such folder", where=str(path.parent))
    write_atomically(path, markdown(summary))


def markdown(summary: Summary) -> str:
    """Every claim of a run by suite, then what failed, then where it ran."""
    lines = [*_head(summary), *_suites(summary), *_failures(summary), *_environment(summary)]
    return "\n".join(lines).rstrip() + "\n"


def _head(summary: Summary) -> Iterator[str]:
    cells = summary.run.record.cells
    outcomes = Counter(result.outcome for result in summary.results.values())
    verdicts = Counter(claim.verdict for claim in summary.claims)
    told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    judged = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    seconds = sum(result.seconds or 0.0 for result in summary.results.values())
    yield from ("# Results", "")
    yield f"Written by `harness report --summary` from the run of {summary.run.record.created}, and not by hand."
    yield from ("", f"- {len(cells)} cells in {seconds / 60:.0f} minutes: {told or 'none has run'}")
    yield from (f"- {len(summary.claims)} claims: {judged or 'none'}", "")
    if len(summary.verdicts) > 1:
        rows = [(_text(title), *(str(counts.get(v, 0)) for v in MARKS)) for title, counts in summary.verdicts]
        yield from (*_table(("suite", *MARKS), rows), "")


def _suites(summary: Summary) -> Iterator[str]:
    for suite in summary.run.record.suites:
        found = [claim for claim in summary.claims if claim.suite == suite.name]
        yield from (f"## {_text(suite.title)}", "")
        yield from (*_table(HEADS, map(_claim, found)), "") if found else ("It makes no claim.", "")


def _claim(claim: ClaimResult) -> Sequence[str]:
    return (
        f"**{_text(claim.id)}**: {_text(claim.says)} ({_text(claim.source)}) {_text(claim.measure)}",
        _text(wording.paper(claim)),
        wording.number(claim.measured),
        wording.interval(claim),
        wording.pairs(claim),
        _text(claim.holds),
        f"{MARKS[claim.verdict]} {claim.verdict}" + (f": {_text(claim.reason)}" if claim.reason else ""),
    )


def _failures(summary: Summary) -> Iterator[str]:
    reasons: Counter[tuple[str, str, str]] = Counter(
        (result.outcome, result.cell.suite, result.reason)
        for result in summary.results.values()
        if result.outcome != "done"
    )
    if summary.missing:
        reasons["missing", "-", "; ".join(summary.run.problems) or "has not run"] = summary.missing
    if reasons:
        rows = [(_text(s), str(count), outcome, _text(reason)) for (outcome, s, reason), count in reasons.items()]
        yield from ("## Cells without a result", "", *_table(("suite", "cells", "outcome", "reason"), rows), "")


def _environment(summary: Summary) -> Iterator[str]:
    rows = [(_text(key), _text(value)) for key, value in summary.run.record.environment.items()]
    yield from ("## Where it ran", "", *_table(("what", "value"), rows), "")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (heads, ["---"] * len(heads), *rows):
        yield f"| {' | '.join(row)} |"


def _text(thing: object) -> str:
    """Text as it is: nothing in it is Markdown or HTML."""
    return " ".join(str(thing).split()).translate(SPECIAL)
