"""Cells that go wrong as the command line runs them: a rank is killed, a subscript leaves its array."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

SUITE = """
title = "What goes wrong"
metrics = ["final_loss"]
time_limit = 240

[[matrix]]
workload = [
    {{ name = "mortal-factors", ratings = "power-law", count = 999, users = 50, items = 40, mark = "{0}/a" }},
    {{ name = "mortal-trees", depth = 2, mark = "{0}/b" }},
]
parallelizer = {{ name = "orion", workers = 3 }}
device = "processes"
budget = {{ epochs = 6 }}

[[matrix]]
workload = "stray"
parallelizer = {{ name = "orion", workers = 2 }}
device = ["cpu", "processes"]
budget = {{ epochs = 1 }}
"""


ENTRY = {
    "METADATA": "Metadata-Version: 2.1\nName: faulty\nVersion: 0\n",
    "entry_points.txt": "[harness]\nfaulty = faulty\n",
}


def install(folder: Path) -> None:
    """Let the plugin be found where its folder is on the path."""
    info = folder / "faulty-0.dist-info"
    info.mkdir()
    for name, text in ENTRY.items():
        (info / name).write_text(text)


def run(folder: Path) -> dict[str, Any]:
    """The cells of the suite."""
    (folder / "suite.toml").write_text(SUITE.format(folder))
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", "suite.toml", "-o", f"run-{len(list(folder.iterdir()))}", "--json"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(folder)])},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.stdout, done.stderr
    assert "Traceback" not in done.stderr
    return {(cell["workload"].split()[0], cell["device"]): cell for cell in json.loads(done.stdout)["cells"]}


def test_a_cell_that_goes_wrong_ends_with_one_line_that_says_how(tmp_path: Path) -> None:
    install(tmp_path)
    for mark in "ab":
        (tmp_path / mark).touch()
    found = run(tmp_path)
    assert len(found) == 4
    for (workload, device), cell in found.items():
        assert cell["outcome"] == "failed"
        assert "\n" not in cell["reason"]
        if workload == "stray":
            assert "faulty.py:" in cell["reason"], device
            assert "at key (4,): IndexError: P[key[0]] is out of range: the axis of A has 4" in cell["reason"], device
        else:
            assert re.fullmatch(r"worker \d died \(signal 9\)", cell["reason"])
