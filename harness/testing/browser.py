"""A page in a headless browser: for pytest tests of report sections, and of pages that a plugin makes itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from harness.data import Dataset, Member, PythonPackage
from harness.errors import HarnessError
from harness.testing.outcomes import Problem

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
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
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--window-size=500,20000",
    "--virtual-time-budget=20000",
    "--enable-logging=stderr",
    "--dump-dom",
)
SCRIPTLESS = re.compile(r'<meta http-equiv="Content-Security-Policy"(?![^>]*script-src)[^>]*>')
WATCHED = (
    "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; script-src 'unsafe-inline' 'unsafe-eval'\">"
)
WATCH = """
const troubles = [];
addEventListener("error", (e) => troubles.push(e.message || "a picture"), true);
addEventListener("securitypolicyviolation", (e) => troubles.push(e.violatedDirective));
addEventListener("load", () => setTimeout(async () => {
  const found = await look();
  const result = document.createElement("pre");
  result.id = "told";
  result.textContent = JSON.stringify({ troubles, ...found });
  document.body.append(result);
}, 500));
"""
CHECKED = """
const look = async () => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const { violations, passes } = await axe.run(document);
  const found = violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html)}`);
  return { found, passes: passes.length, dark: matchMedia("(prefers-color-scheme: dark)").matches };
};
"""


def seen(page: str, look: str, folder: Path, *options: str) -> dict[str, Any]:
    """What a script's ``look()`` returns in the page, half a second after it was loaded.

    ``look`` is JavaScript that defines that function, ``options`` are the browser's. A page whose policy forbids
    scripts is opened under one that allows the test's own. Raises Problem for a script's error, a picture that
    cannot be shown, a breach of the policy or a word on the console; skips the test where there is no browser.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    path = folder / "opened.html"
    watched = SCRIPTLESS.sub(WATCHED, page).replace("</title>", f"</title><script>{look}{WATCH}</script>", 1)
    path.write_text(watched, encoding="utf-8")
    command = [browser, *OPTIONS, f"--user-data-dir={folder / 'profile'}", *options, path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    told = re.search('(?s)<pre id="told">(.*?)</pre>', done.stdout)
    if told is None or "CONSOLE" in done.stderr:
        raise Problem(f"the browser says: {done.stderr}")
    found: dict[str, Any] = json.loads(unescape(told[1]))
    troubles = found.pop("troubles")
    if troubles:
        raise Problem(f"the page has troubles: {troubles}")
    return found


def violations(page: str, folder: Path, *, dark: bool = False) -> list[str]:
    """What the accessibility checker axe complains of in the page, as it is shown to who prefers light or ``dark``.

    Skips the test where there is no browser or axe cannot be had; raises Problem where there was nothing to check.
    """
    try:
        AXE.fetch()
    except HarnessError as error:
        pytest.skip(str(error))
    script = AXE.path("axe.min.js").read_text(encoding="utf-8") + CHECKED
    answer = seen(page, script, folder, f"--blink-settings=preferredColorScheme={int(not dark)}")
    if answer["dark"] != dark or not answer["passes"]:
        raise Problem(f"the page was not checked: {answer}")
    found: list[str] = answer["found"]
    return found
