"""Plugins that go wrong in every way, installed together: what is sound runs, and each fault is named."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from harness.registry import load
from harness.suite import load as load_suite
from tests.conftest import HERE, UNRULY, Harness

SUITE = """
title = "Faults"
metrics = ["sum_of_losses"]
[[matrix]]
workload = "counting"
parallelizer = [
    "paper-harness:serial",
    { name = "unruly", how = "raise", label = "raises" },
    { name = "unruly", how = "exit", label = "exits" },
    { name = "unruly", how = "segfault", label = "segfaults" },
    { name = "unruly", how = "nan", label = "diverges" },
    { name = "unruly", how = "trace", label = "floods" },
    "slow",
]
[[matrix]]
workload = "counting"
parallelizer = { name = "unruly", how = "memory", label = "leaks" }
memory_limit = "600 MiB"
[[matrix]]
workload = "counting"
parallelizer = { name = "unruly", how = "hang", label = "hangs" }
time_limit = 6
"""

NAMED = {
    "raises": ("failed", "ValueError: this one raises"),
    "exits": ("failed", "ended with status 7 and left no result"),
    "diverges": ("failed", "loss is nan at step 3"),
    "segfaults": ("failed", "died of signal 11 (SIGSEGV)"),
    "leaks": ("failed", "killed for memory"),
    "hangs": ("timeout", "no end after 6 s"),
    "floods": ("failed", "256 MB of trace"),
}


@pytest.fixture
def faulty(harness: Harness) -> Harness:
    """The command line with every faulty plugin installed."""

    def run(*arguments: str, **variables: str) -> Any:
        path = os.pathsep.join([str(UNRULY), str(HERE / "packages" / "faults")])
        return harness(*arguments, PYTHONPATH=path, HARNESS_PLUGINS="unruly,crumbling,twin", **variables)

    return run


def test_a_run_ends_with_every_sound_cell_done_and_each_fault_named(faulty: Harness, tmp_path: Path) -> None:
    (tmp_path / "faults.toml").write_text(SUITE)
    done = faulty("run", "faults.toml", "-o", "out", "--json")
    assert done.returncode == 1, done.stderr
    cells = {cell["parallelizer"]: (cell["outcome"], cell["reason"]) for cell in json.loads(done.stdout)["cells"]}
    assert cells.keys() == {"serial", "slow", *NAMED}
    assert cells["serial"] == cells["slow"] == ("done", "")
    for label, (outcome, reason) in NAMED.items():
        assert cells[label][0] == outcome
        assert reason in cells[label][1]
        (stored,) = (tmp_path / "out" / "cells").glob(f"*{label}*/result.json")
        assert "about to " in json.loads(stored.read_text())["output"]
    assert "plugin crumbling is left out: SystemExit: crumbles to dust" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_that_two_plugins_offer_is_refused_naming_both(faulty: Harness, suite: Path) -> None:
    done = faulty("run", suite.name, "-o", "out")
    assert done.returncode == 2
    assert "'serial' is ambiguous: use 'paper-harness:serial' and 'twin:serial'" in done.stderr


def test_the_first_suite_that_is_run_names_everything_with_its_plugin() -> None:
    for cell in load_suite(HERE.parent / "suites" / "smoke.toml", load()).cells:
        for component in (cell.workload, cell.parallelizer, cell.device, *cell.metrics):
            assert ":" in component.name
            assert ":" not in component.label
