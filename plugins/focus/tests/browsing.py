"""A headless browser that opens a page and says what a script finds in it."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from harness import Dataset, HarnessError, Member, PythonPackage

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
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
WATCHED = (
    "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; script-src 'unsafe-inline' 'unsafe-eval'\">"
)
WATCH = """
const troubles = [];
addEventListener("error", (e) => troubles.push(e.message || "a picture"), true);
addEventListener("securitypolicyviolation", (e) => troubles.push(e.violatedDirective));
addEventListener("load", async () => {
  const found = await look();
  const result = document.createElement("pre");
  result.id = "told";
  result.textContent = JSON.stringify({ troubles, ...found });
  document.body.append(result);
});
"""


def axe() -> str:
    """The checker's source; skips a test where it cannot be had."""
    try:
        AXE.fetch()
    except HarnessError as error:
        pytest.skip(str(error))
    return AXE.path("axe.min.js").read_text(encoding="utf-8")


def told(page: str, look: str, folder: Path, *options: str) -> dict[str, Any]:
    """What the script's ``look()`` finds; no error may happen, and nothing may be written to the console."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("chromium is not installed")
    path = folder / "opened.html"
    page = POLICY.sub(WATCHED, page)  # the page's own forbids all scripts, these too
    path.write_text(page.replace("</title>", f"</title><script>{look}{WATCH}</script>", 1), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
    command += ["--disable-background-networking", "--disable-component-update", "--window-size=500,4000"]
    command += [f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=20000", "--enable-logging=stderr"]
    done = subprocess.run(
        [*command, *options, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120, check=False
    )
    assert "CONSOLE" not in done.stderr
    found = re.search('(?s)<pre id="told">(.*?)</pre>', done.stdout)
    assert found is not None, done.stderr
    answer: dict[str, Any] = json.loads(unescape(found[1]))
    assert not answer.pop("troubles")
    return answer
