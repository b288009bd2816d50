"""What cells read from disk is made before the first of them, once, whatever becomes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil

from tests.conftest import Harness, once

SUITE = """
title = "Counting to what is stored"
metrics = ["sum_of_losses"]
[[matrix]]
workload = {{ name = "stored", folder = "{folder}"{more} }}
parallelizer = ["serial", "slow"]
seeds = 3
"""


def write(folder: Path, more: str = "") -> None:
    (folder / "stored.toml").write_text(SUITE.format(folder=folder, more=more))


def test_each_seed_is_made_once_before_any_cell_and_never_again(harness: Harness, tmp_path: Path) -> None:
    write(tmp_path)
    run = harness("run", "stored.toml", "-o", "out", "--json")
    assert run.returncode == 0, run.stderr
    assert [cell["outcome"] for cell in json.loads(run.stdout)["cells"]] == 6 * ["done"]
    makers = [(tmp_path / f"{seed}.txt").read_text() for seed in range(3)]
    assert len(set(makers)) == 3, "a process each; that of a cell would have failed it"
    assert harness("run", "stored.toml", "-o", "out", "--resume").returncode == 0
    assert [(tmp_path / f"{seed}.txt").read_text() for seed in range(3)] == makers


def test_what_cannot_be_made_fails_its_own_cells_alone(harness: Harness, tmp_path: Path) -> None:
    write(tmp_path, ", broken = 1")
    run = harness("run", "stored.toml", "-o", "out", "--json")
    assert run.returncode == 1
    outcomes = {(cell["seed"], cell["outcome"]) for cell in json.loads(run.stdout)["cells"]}
    assert outcomes == {(0, "done"), (1, "failed"), (2, "done")}
    assert "seed 1: ended with status 1" in run.stderr
    assert "this seed cannot be made" in (tmp_path / "out" / "ahead.txt").read_text()


def test_a_killed_run_leaves_nobody_making(unruly: Path, tmp_path: Path) -> None:
    write(tmp_path, f', gate = "{tmp_path / "gate"}"')
    command = [sys.executable, "-m", "harness", "run", "stored.toml", "-o", "out"]
    with subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "HARNESS_PLUGINS": "unruly"}) as process:
        once(lambda: list(tmp_path.glob("gate-*")))
        process.kill()
    makers = [int(path.name.rpartition("-")[2]) for path in tmp_path.glob("gate-*")]
    once(lambda: not any(psutil.pid_exists(maker) for maker in makers))
