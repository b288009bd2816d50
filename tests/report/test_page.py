"""A run's page: complete, safe, self-contained, and drawn by a real browser."""

from __future__ import annotations

import re
import shlex
from fnmatch import fnmatchcase
from html import escape
from itertools import pairwise

import numpy as np
import pytest

from harness.hookspecs import hookimpl
from harness.records import CellSpec
from harness.registry import Registry
from harness.report import curves
from harness.report.page import render
from harness.report.summary import Summary
from harness.report.verdicts import command
from harness.store import Run
from tests.report.conftest import HOSTILE, LABEL, Parsed

pytest.importorskip("plotly")


def test_every_claim_is_there_with_its_verdict_its_cells_and_its_command(parsed: Parsed, summary: Summary) -> None:
    words = "".join(parsed.words)
    for claim in summary.claims:
        for text in (claim.id, claim.says, claim.source, claim.holds, claim.verdict):
            assert text in words
    assert "✓ holds" in words
    assert all(cell.id in words for cell in summary.run.record.cells)
    assert "harness run counting.toml --only" in words


def test_a_claim_says_what_its_number_is_and_opens_to_a_figure_of_its_metric(page: str, parsed: Parsed) -> None:
    assert "a.sum_of_losses / b.sum_of_losses, a: slow, b: serial" in "".join(parsed.words)
    opened = page[page.index("<details>") : page.index("</details>")]
    assert re.findall('aria-label="([^"]*)"', opened) == ["sum_of_losses in loss"]


def test_text_of_suites_stays_text(parsed: Parsed) -> None:
    assert not any(script.strip() == "alert(1)" for script in parsed.scripts)
    assert sum(tag == "script" for tag, _ in parsed.tags) == len(parsed.figures) + 2
    assert HOSTILE in "".join(parsed.words)
    assert LABEL in "".join(parsed.words)
    assert not any(tag == "img" for tag, _ in parsed.tags)


def test_nothing_is_loaded_from_anywhere(parsed: Parsed) -> None:
    assert not [a for _, a in parsed.tags if a.keys() & {"src", "srcset", "data", "poster"}]
    assert all((a["href"] or "").startswith("#") for _, a in parsed.tags if "href" in a)
    assert not [tag for tag, _ in parsed.tags if tag in ("link", "iframe", "object", "embed", "base")]


def test_headings_are_in_order_and_every_link_has_its_target(parsed: Parsed) -> None:
    levels = [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    identities = [a["id"] for _, a in parsed.tags if "id" in a]
    assert len(set(identities)) == len(identities)
    assert {(a["href"] or "")[1:] for _, a in parsed.tags if "href" in a} <= set(identities)


def test_tables_have_captions_and_headings_with_a_scope(parsed: Parsed) -> None:
    tags = [tag for tag, _ in parsed.tags]
    assert tags.count("table") == tags.count("caption") > 0
    assert all(a.get("scope") in ("row", "col") for tag, a in parsed.tags if tag == "th")


def test_dots_and_intervals_are_the_stored_results(parsed: Parsed, summary: Summary) -> None:
    index = next(i for i, label in enumerate(parsed.labels) if label and label == "wall_time in seconds")
    (trace,) = parsed.figures[index]["data"]
    for i, name in enumerate(("serial", "slow")):
        measured = [r.metrics["wall_time"] for r in summary.results.values() if r.cell.parallelizer.label == name]
        assert trace["x"][i] == pytest.approx(np.median(np.array(measured, float)))
        assert trace["error_x"]["array"][i] >= 0
        assert trace["error_x"]["arrayminus"][i] >= 0


def test_curves_have_the_traced_values(parsed: Parsed) -> None:
    index = next(i for i, label in enumerate(parsed.labels) if label and label.endswith("loss over steps"))
    drawn = [trace for trace in parsed.figures[index]["data"] if trace.get("showlegend") is not False]
    assert [trace["name"] for trace in drawn] == ["serial", "slow"]
    assert all(len(trace["x"]) == len(trace["y"]) > 1 for trace in drawn)


def test_a_curve_is_the_median_of_the_seeds_in_a_band() -> None:
    steps = np.arange(5.0)
    found = curves.curve([(steps, steps), (steps, steps + 1), (steps, steps + 5)])
    assert found is not None
    np.testing.assert_allclose(found.median, steps + 1)
    np.testing.assert_allclose(found.low, steps)
    np.testing.assert_allclose(found.high, steps + 5)


def test_a_long_curve_is_thinned_out_and_keeps_its_ends() -> None:
    steps = np.arange(100_000.0)
    found = curves.curve([(steps, steps**2)])
    assert found is not None
    assert len(found.x) <= curves.POINTS
    assert (found.median[0], found.median[-1]) == (0, 99_999.0**2)


def test_the_command_fits_the_cells_it_repeats(summary: Summary, registry: Registry) -> None:
    cells: list[CellSpec] = [cell for cell in summary.run.record.cells if cell.parallelizer.label == "slow"]
    glob = re.search("--only (.*)", command(cells, registry, "counting.toml"))
    assert glob is not None
    (pattern,) = shlex.split(glob[1])
    assert [cell for cell in summary.run.record.cells if fnmatchcase(cell.id, pattern)] == cells


class Adds:
    """A plugin with a section."""

    @hookimpl
    def harness_report_sections(self, run: Run) -> list[tuple[str, str]]:
        return [(HOSTILE, f"<em>{len(run.record.cells)} cells</em>")]


def test_a_plugin_adds_a_section_whose_title_is_text_and_its_link(summary: Summary, registry: Registry) -> None:
    registry.manager.register(Adds())
    added = render(summary, registry)
    assert "<em>6 cells</em>" in added
    assert f"<h2>{escape(HOSTILE)}</h2>" in added
    assert f'<a href="#plugin-1">{escape(HOSTILE)}</a>' in added
