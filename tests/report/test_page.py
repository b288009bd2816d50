"""A run's page: complete, safe, self-contained, and drawn by a real browser."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.hookspecs import hookimpl
from harness.records import CellSpec
from harness.registry import Registry
from harness.report import curves
from harness.report.page import render
from harness.report.sections import command
from harness.report.summary import Summary, summarise
from harness.store import Run
from tests.conftest import Harness

pytest.importorskip("plotly")

HOSTILE = "<script>alert(1)</script>"
LABEL = "<img src=x onerror=alert(1)>"
SUITE = f"""
title = "Counting {HOSTILE}"
metrics = ["final_loss", "sum_of_losses", "wall_time"]
[[matrix]]
workload = {{ name = "counting", label = "{LABEL}" }}
parallelizer = ["serial", "slow"]
seeds = 3
[[claims]]
id = "same-answer"
says = "Slow & serial </script> are {HOSTILE} alike."
source = "here"
paper = "{HOSTILE}"
cells.a = {{ parallelizer = "slow" }}
cells.b = {{ parallelizer = "serial" }}
measure = "a.sum_of_losses / b.sum_of_losses"
holds = "0.99..1.01"
"""


@dataclass
class Parsed(HTMLParser):
    """What the page holds, as a browser would read it."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    inside: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside != "style":
            self.words.append(data)

    @property
    def figures(self) -> list[dict[str, Any]]:
        kinds = [attributes.get("type") for tag, attributes in self.tags if tag == "script"]
        return [json.loads(text) for kind, text in zip(kinds, self.scripts, strict=True) if kind == "application/json"]

    @property
    def labels(self) -> list[str | None]:
        return [a["aria-label"] for _, a in self.tags if a.get("role") == "img"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run") / "run"


@pytest.fixture
def summary(harness: Harness, registry: Registry, folder: Path, tmp_path: Path) -> Summary:
    """A run whose every text is hostile; run once."""
    if not (folder / "run.json").exists():
        (tmp_path / "counting.toml").write_text(SUITE)
        done = harness("run", "counting.toml", "-o", str(folder), "--json")
        assert done.returncode == 0, done.stderr
    record = Run.open(folder).record.model_copy(update={"environment": {"cores": HOSTILE}})
    return summarise(Run(folder, record), registry)


@pytest.fixture
def page(summary: Summary, registry: Registry) -> str:
    return render(summary, registry)


@pytest.fixture
def parsed(page: str) -> Parsed:
    parser = Parsed()
    parser.feed(page)
    parser.close()
    return parser


def test_every_claim_is_there_with_its_verdict_its_cells_and_its_command(parsed: Parsed, summary: Summary) -> None:
    words = "".join(parsed.words)
    for claim in summary.claims:
        for text in (claim.id, claim.says, claim.source, claim.holds, claim.verdict):
            assert text in words
    assert "✓ holds" in words
    assert all(cell.id in words for cell in summary.run.record.cells)
    assert "harness run counting.toml --only" in words


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
    glob = re.search("--only (.*)", command(cells, registry))
    assert glob is not None
    (pattern,) = shlex.split(glob[1])
    assert [cell for cell in summary.run.record.cells if fnmatchcase(cell.id, pattern)] == cells


class Adds:
    """A plugin with a section."""

    @hookimpl
    def harness_report_sections(self, run: Run) -> list[tuple[str, str]]:
        return [(HOSTILE, f"<em>{len(run.record.cells)} cells</em>")]


def test_a_plugin_adds_a_section_whose_title_is_text(summary: Summary, registry: Registry) -> None:
    registry.manager.register(Adds())
    added = render(summary, registry)
    assert "<em>6 cells</em>" in added
    assert f"<h2>{escape(HOSTILE)}</h2>" in added


CHECK = """
addEventListener("error", (e) => document.body.append("ERROR " + e.message));
addEventListener("securitypolicyviolation", (e) => document.body.append("ERROR " + e.violatedDirective));
"""
LOOK = """
addEventListener("load", () => setTimeout(() => {
  const plots = [...document.querySelectorAll(".plot")];
  const drawn = plots.filter((p) => p.data && p.querySelector("svg")).map((p) => p.data.length);
  const wide = document.documentElement.scrollWidth > innerWidth;
  const result = document.createElement("pre");
  result.id = "looked";
  result.textContent = JSON.stringify({ plots: plots.length, drawn, wide });
  document.body.append(result);
}, 500));
"""


def test_a_browser_draws_every_plot_and_reports_no_error(page: str, parsed: Parsed, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("chromium is not installed")
    path = tmp_path / "page.html"
    looked = page.replace("<head>", f"<head><script>{CHECK}</script>").replace(
        "</body>", f"<script>{LOOK}</script></body>"
    )
    path.write_text(looked, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    options += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"]
    options += ["--window-size=500,20000", "--virtual-time-budget=10000", "--enable-logging=stderr", "--dump-dom"]
    done = subprocess.run([browser, *options, path.as_uri()], capture_output=True, text=True, timeout=120, check=False)
    found = re.search('<pre id="looked">(.*?)</pre>', done.stdout)
    assert found is not None, done.stderr
    seen = json.loads(found[1])
    assert seen["plots"] == len(parsed.figures) > 0
    assert seen["drawn"] == [len(figure["data"]) for figure in parsed.figures]
    assert not seen["wide"]
    assert "ERROR" not in re.sub("(?s)<script.*?</script>", "", done.stdout)
    assert "CONSOLE" not in done.stderr
