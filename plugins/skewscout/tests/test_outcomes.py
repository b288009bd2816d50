"""What becomes of cells that cannot run, and of training that diverges: an outcome with its reason, no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SUITE = """
title = "Cells that cannot be"
metrics = ["final_accuracy", "update_bytes"]
[[matrix]]
workload = [
    { name = "census-mlp", partitions = 3, split = "label", batch_size = 60, label = "more partitions than labels" },
    { name = "census-mlp", partitions = 4, split = "dirichlet", alpha = 1e-4, label = "an empty partition" },
    { name = "census-mlp", partitions = 2, split = "label", batch_size = 20000, label = "too large a minibatch" },
    { name = "census-mlp", partitions = 2, rate = 1e30, label = "divergence" },
    { name = "census-mlp", partitions = 2, label = "sound" },
]
parallelizer = { name = "bsp" }
device = "cpu"
seeds = 1
budget = { steps = 5 }
"""
REASONS = {
    "more partitions than labels": "3 partitions by label need as many labels, and there are 2; use fewer",
    "an empty partition": "is empty; use fewer partitions, more samples or less skew",
    "too large a minibatch": "fewer than its minibatch of 10000; use fewer partitions",
}


def harness(folder: Path, suite: str) -> subprocess.CompletedProcess[str]:
    (folder / "bad.toml").write_text(suite)
    command = [sys.executable, "-m", "harness", "run", "bad.toml", "-o", "out", "--json"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    done = harness(tmp_path_factory.mktemp("bad"), SUITE)
    assert done.returncode == 1, done.stderr
    return {cell["workload"]: cell for cell in json.loads(done.stdout)["cells"]}


@pytest.mark.parametrize("label", REASONS)
def test_a_division_that_cannot_be_fails_its_own_cell_in_one_line(cells: Any, label: str) -> None:
    assert cells[label]["outcome"] == "failed"
    assert REASONS[label] in cells[label]["reason"]
    assert "Traceback" not in cells[label]["reason"]


def test_divergence_is_recorded_and_costs_no_other_cell(cells: Any) -> None:
    assert "Traceback" not in cells["divergence"]["reason"]
    assert cells["divergence"]["outcome"] == "failed"
    assert cells["sound"]["outcome"] == "done"
    assert cells["sound"]["metrics"]["final_accuracy"] > 0


@pytest.mark.parametrize("degree", [-0.1, 1.5])
def test_a_degree_out_of_range_refuses_the_suite(tmp_path: Path, degree: float) -> None:
    done = harness(tmp_path, SUITE.replace('split = "label", batch_size = 60', f'split = "label", degree = {degree}'))
    assert done.returncode == 2
    assert "degree" in done.stderr
    assert "Traceback" not in done.stderr
