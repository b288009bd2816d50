"""A run's page in a real browser: drawn, without errors, and found accessible by axe."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing.browser import seen, violations
from tests.report.conftest import Parsed

pytest.importorskip("plotly")

DRAWN = """
addEventListener("load", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
const look = () => {
  const plots = [...document.querySelectorAll(".plot")];
  return {
    plots: plots.length,
    drawn: plots.filter((p) => p.data && p.querySelector("svg")).map((p) => p.data.length),
    wide: document.documentElement.scrollWidth > innerWidth,
  };
};
"""


def test_a_browser_draws_every_plot_and_reports_no_error(page: str, parsed: Parsed, tmp_path: Path) -> None:
    found = seen(page, DRAWN, tmp_path)
    assert found["plots"] == len(parsed.figures) > 0
    assert found["drawn"] == [len(figure["data"]) for figure in parsed.figures]
    assert not found["wide"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_to_complain_of(page: str, tmp_path: Path, dark: bool) -> None:
    assert violations(page, tmp_path, dark=dark) == []
