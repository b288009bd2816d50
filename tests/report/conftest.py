"""What the page's tests share: a run whose every text is hostile, and its page as text and as a browser reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.registry import Registry
from harness.report.page import render
from harness.report.summary import Summary, summarise
from harness.store import Run
from tests.conftest import Harness

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
