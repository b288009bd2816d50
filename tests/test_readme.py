"""What the README shows is true: its suite loads, its plugin runs, and its commands exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.registry import load
from harness.suite import parse
from tests.conftest import Harness

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.skipif("strsaga" not in [p.name for p in load().plugins], reason="needs harness-strsaga")
def test_the_suite_loads() -> None:
    suite = parse(block("toml"), name="readme", where="README.md", registry=load())
    assert len(suite.cells) == 16


def test_the_plugin_runs_as_it_stands(harness: Harness, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    info = plugin / "my_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (plugin / "my_plugin.py").write_text(block("python"))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[harness]\nmine = my_plugin\n")
    (tmp_path / "s.toml").write_text(
        'title = "t"\nmetrics = ["throughput"]\n[[matrix]]\nworkload = "primes"\nparallelizer = "serial"\n'
    )
    done = harness("run", "s.toml", "-o", "out", "--json", PYTHONPATH=str(plugin), HARNESS_PLUGINS="mine")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["cells"][0]["metrics"]["throughput"] > 0
    assert len(block("python").strip().splitlines()) < 30


def test_every_command_is_one_that_the_command_line_has(harness: Harness) -> None:
    commands = set(re.findall(r"^harness (\w+)", README, re.MULTILINE))
    assert commands == {"list", "info", "run", "compare", "trace", "doctor", "report", "new", "check"}
    for command in commands:
        assert harness(command, "--help").returncode == 0


def test_the_make_targets_exist() -> None:
    makefile = (Path(__file__).parent.parent / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
