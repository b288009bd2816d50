"""A run's page in a real browser: drawn, without errors, and found accessible by axe."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from harness import Dataset, HarnessError, Member, PythonPackage
from tests.report.conftest import Parsed

pytest.importorskip("plotly")

AXE = Dataset(
    name="axe-core",
    summary="The accessibility checker axe-core 4.12.1",
    licence="MPL-2.0",
    homepage="https://github.com/dequelabs/axe-core",
    source=PythonPackage("axe-playwright-python", "0.1.8"),
    members=(
        Member(
            "axe_playwright_python/axe.min.js",
            "84494fec757e4710dc751c8d7a636e457f4532f08f85c86dc9070133fbff53bc",
            572600,
        ),
    ),
)
WATCH = """
const troubles = [];
addEventListener("error", (e) => troubles.push(e.message));
addEventListener("securitypolicyviolation", (e) => troubles.push(e.violatedDirective));
const tell = (found) => {
  const result = document.createElement("pre");
  result.id = "told";
  result.textContent = JSON.stringify({ troubles, ...found });
  document.body.append(result);
};
"""
DRAWN = """
addEventListener("load", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
addEventListener("load", () => setTimeout(() => {
  const plots = [...document.querySelectorAll(".plot")];
  tell({
    plots: plots.length,
    drawn: plots.filter((p) => p.data && p.querySelector("svg")).map((p) => p.data.length),
    wide: document.documentElement.scrollWidth > innerWidth,
  });
}, 500));
"""
CHECKED = """
addEventListener("load", () => setTimeout(async () => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const { violations, passes } = await axe.run(document);
  const found = violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html)}`);
  tell({ found, passes: passes.length, dark: matchMedia("(prefers-color-scheme: dark)").matches });
}, 500));
"""


@pytest.fixture
def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("chromium is not installed")
    return found


def told(browser: str, page: str, script: str, folder: Path, *more: str) -> dict[str, Any]:
    """What the script tells of the page once it is drawn; nothing may be written to the console."""
    path = folder / "page.html"
    page = page.replace("<head>", f"<head><script>{WATCH}</script>", 1)
    head, _, tail = page.rpartition("</body>")
    path.write_text(f"{head}<script>{script}</script></body>{tail}", encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    options += ["--disable-component-update", "--disable-sync", f"--user-data-dir={folder / 'profile'}"]
    options += ["--window-size=500,20000", "--virtual-time-budget=20000", "--enable-logging=stderr", "--dump-dom"]
    command = [browser, *options, *more, path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "CONSOLE" not in done.stderr
    found = re.search('(?s)<pre id="told">(.*?)</pre>', done.stdout)
    assert found is not None, done.stderr
    answer: dict[str, Any] = json.loads(unescape(found[1]))
    assert not answer["troubles"]
    return answer


def test_a_browser_draws_every_plot_and_reports_no_error(
    browser: str, page: str, parsed: Parsed, tmp_path: Path
) -> None:
    seen = told(browser, page, DRAWN, tmp_path)
    assert seen["plots"] == len(parsed.figures) > 0
    assert seen["drawn"] == [len(figure["data"]) for figure in parsed.figures]
    assert not seen["wide"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_to_complain_of(browser: str, page: str, tmp_path: Path, dark: bool) -> None:
    try:
        AXE.fetch()
    except HarnessError as error:
        pytest.skip(str(error))
    script = AXE.path("axe.min.js").read_text(encoding="utf-8") + CHECKED
    scheme = "--blink-settings=preferredColorScheme=" + ("0" if dark else "1")
    seen = told(browser, page, script, tmp_path, scheme)
    assert seen["dark"] == dark
    assert seen["passes"] > 10
    assert seen["found"] == []
