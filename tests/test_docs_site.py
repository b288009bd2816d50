"""The site builds strictly, covers what is installed, and asks nobody else for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pydantic import BaseModel

from harness import hookspecs
from harness.components import KINDS, Budget
from harness.records import ClaimSpec, Selector
from harness.registry import load
from harness.suite import MatrixTable, SuiteTable

ROOT = Path(__file__).parent.parent


def build(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", **variables}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Elements(HTMLParser):
    """The text and ids of a page, and what a browser would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.loaded: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.ids.add(attributes.get("id") or "")
        loads = attributes.get("src") or (attributes.get("href") if tag == "link" else None)
        if loads:
            self.loaded.add(loads)

    def handle_data(self, data: str) -> None:
        self.text += data


def plain(text: str) -> str:
    """Text without Markdown's marks."""
    return re.sub(r"[`*\\]", "", text)


def elements(path: Path) -> Elements:
    return Elements(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", [*KINDS, "dataset", "suite"])
def test_everything_that_a_plugin_of_ours_offers_is_in_the_reference(kind: str, site: Path) -> None:
    found = elements(site / "reference" / f"{kind}s.html")
    assert "\\|" not in found.text, "an escape shows"
    offers = [o for o in load().of_kind(kind) if o.plugin.distribution.split("-")[0] in ("paper", "harness")]
    for offer in offers:
        assert offer.name in found.text
        assert kind == "dataset" or offer.name in found.ids
        for name, parameter in getattr(offer.thing, "model_fields", {}).items():
            assert name in found.text
            assert plain(parameter.description or "") in plain(found.text)


def test_every_hook_and_every_command_is_in_the_reference(site: Path) -> None:
    hooks = {name for name in vars(hookspecs) if name.startswith("harness_")}
    assert hooks <= elements(site / "reference/hooks.html").ids
    listed = subprocess.run([sys.executable, "-m", "harness", "--help"], capture_output=True, text=True, check=True)
    commands = set(re.findall(r"^│ (\w+) ", listed.stdout, re.MULTILINE)) - {"data"}
    assert {f"harness-{command}" for command in commands} <= elements(site / "reference/commands.html").ids


def test_every_plugin_has_a_page(site: Path) -> None:
    plugins = {path.parent.name for path in (ROOT / "plugins").glob("*/README.md")}
    assert {path.stem for path in (site / "systems").glob("*.html")} == plugins


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        outside = {target for target in elements(page).loaded if re.match(r"(\w+:)?//", target)}
        assert not outside, page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_a_plugin_that_is_not_loaded_fails_the_build(tmp_path: Path) -> None:
    done = build(tmp_path, HARNESS_PLUGINS="builtin")
    assert done.returncode == 1
    assert "plugin harness-strsaga: not installed" in done.stderr


def test_no_marker_is_left_on_a_page(site: Path) -> None:
    assert not [page for page in site.rglob("*.html") if "<!-- generated" in page.read_text(encoding="utf-8")]


def test_two_builds_are_alike(site: Path, tmp_path: Path) -> None:
    done = build(tmp_path, PYTHONHASHSEED="7")
    assert done.returncode == 0, done.stderr
    for page in site.rglob("reference/*.html"):
        assert page.read_text(encoding="utf-8") == (tmp_path / page.relative_to(site)).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("## The file", SuiteTable),
        ("## `[[matrix]]`", MatrixTable),
        ("## `budget`", Budget),
        ("## `[[claims]]`", ClaimSpec),
        ("## Selectors", Selector),
    ],
)
def test_the_suite_format_names_every_key_and_which_are_required(heading: str, model: type[BaseModel]) -> None:
    text = (ROOT / "docs/reference/suite.md").read_text(encoding="utf-8").partition(heading)[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", text, re.MULTILINE))
    assert set(rows) == set(model.model_fields)
    assert {k for k, v in rows.items() if v == "required"} == {
        k for k, f in model.model_fields.items() if f.is_required()
    }


def test_every_data_set_and_every_distribution_is_on_the_page_of_licences(site: Path) -> None:
    found = elements(site / "reference" / "licences.html").text
    offers = [offer for offer in load().offers if offer.plugin.distribution.startswith(("paper-harness", "harness-"))]
    for offer in offers:
        assert offer.plugin.distribution in found
        if offer.kind == "dataset":
            assert offer.name in found
            assert offer.thing.licence in found
    assert "not installed here" not in found
    assert "not stated" not in found


def test_each_systems_way_to_divide_work_is_drawn(site: Path) -> None:
    text = (site / "division.html").read_text(encoding="utf-8")
    for system in ("pipedream", "skewscout", "orion", "strsaga", "focus"):
        assert f'id="{system}-title"' in text
