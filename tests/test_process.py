"""A cell's process ends with what started it, whenever and however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.conftest import once

SUITE = """
title = "Counting"
metrics = ["sum_of_losses"]
[[matrix]]
workload = "counting"
parallelizer = {parallelizer}
{more}
"""


def start(folder: Path, parallelizer: str, more: str = "", **variables: str) -> subprocess.Popen[str]:
    """Start a run of one cell in a session of its own."""
    (folder / "one.toml").write_text(SUITE.format(parallelizer=parallelizer, more=more))
    command = [sys.executable, "-m", "harness", "run", "one.toml", "-o", "out"]
    environment = {**os.environ, "HARNESS_PLUGINS": "unruly", **variables}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.mark.parametrize("more", ["", f'python = "{sys.executable}"'])
def test_a_cell_that_never_looks_up_dies_with_a_killed_run(more: str, unruly: Path, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    with start(tmp_path, f'{{ name = "busy", sign = "{sign}" }}', more) as process:
        once(lambda: list(tmp_path.glob("sign-*")))
        process.kill()
    (left,) = tmp_path.glob("sign-*")
    once(lambda: not psutil.pid_exists(int(left.name.rpartition("-")[2])))


def test_a_cell_whose_run_has_ended_already_does_not_begin(unruly: Path, suite: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "HARNESS_PLUGINS": "unruly"}
    harness = [sys.executable, "-m", "harness"]
    subprocess.run(
        [*harness, "run", suite.name, "-o", "out", "--print-commands"], cwd=tmp_path, env=environment, check=True
    )
    spec = next(tmp_path.glob("out/cells/*/spec.json"))
    command = [*harness, "cell", str(spec), "--parent", str(os.getpid() + 1)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "has ended" in done.stderr
    assert not spec.with_name("result.json").exists()


def test_ctrl_c_while_the_first_cell_starts_is_told_in_a_line(unruly: Path, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    with start(tmp_path, '"lingering"', LINGERING=str(sign)) as process:
        once(sign.exists)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130
    assert errors.startswith("interrupted;")
    assert errors.count("\n") == 1
