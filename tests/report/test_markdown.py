"""A run's claims in Markdown: all of them, and text that stays text."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.report.markdown import markdown
from harness.report.summary import Summary
from tests.conftest import Harness


def rows(text: str) -> list[list[str]]:
    """The cells of every row of every table."""
    return [line.strip("|").replace("\\|", "/").split("|") for line in text.splitlines() if line.startswith("|")]


def test_every_claim_is_there_with_its_figures_and_its_verdict(summary: Summary) -> None:
    text = markdown(summary)
    (claim,) = summary.claims
    (row,) = (row for row in rows(text) if "same-answer" in row[0])
    assert [cell.strip() for cell in row[2:]] == ["1", "1 .. 1", "3", claim.holds, "✓ holds"]


def test_rows_have_as_many_cells_as_their_head_whatever_texts_hold(summary: Summary) -> None:
    text = markdown(summary)
    assert "<script>" not in text.replace("\\<", "")
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 2
    for table in tables:
        assert len({len(row) for row in rows(table)}) == 1


def test_several_suites_are_one_run_with_the_claims_of_each(harness: Harness, suite: Path, tmp_path: Path) -> None:
    text = (
        suite.read_text().replace("Counting", "Counting on").replace('"slow"]', '{ name = "unruly", label = "slow" }]')
    )
    (tmp_path / "further.toml").write_text(text)
    assert harness("run", suite.name, "further.toml", "-o", "out").returncode == 1
    done = harness("report", "out", "--summary", "results.md")
    assert done.returncode == 0, done.stderr
    head, first, second = (tmp_path / "results.md").read_text().split("\n## Counting")
    assert "| Counting | 1 | 0 | 0 | 0 |\n| Counting on | 0 | 0 | 0 | 1 |" in head
    assert "✓ holds" in first
    assert "– not measured" in second
    assert "| further | 2 | failed | ValueError: this one raises |" in second
    assert "| python |" in second


@pytest.mark.parametrize("option", ["--summary", "-o"])
def test_a_folder_that_is_not_there_is_named(option: str, harness: Harness, suite: Path) -> None:
    harness("run", suite.name, "-o", "out")
    done = harness("report", "out", option, "nowhere/file")
    assert (done.returncode, done.stderr) == (2, "error: nowhere: no such folder\n")
