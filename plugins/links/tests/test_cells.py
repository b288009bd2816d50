"""Whole cells on the plugin's devices, as a user runs them."""

import json
import subprocess
import sys

from harness import datasets

SUITE = """
title = "Two speeds"
metrics = ["wall_time", "device_time"]

[[matrix]]
workload = "census-mlp"
parallelizer = "serial"
seeds = 1
budget = { steps = 3 }
device = { name = "simulated", levels = [{ workers = 2, bandwidth = "BANDWIDTH", latency = "50 us" }] }
"""


def run(folder, bandwidth):
    (folder / "suite.toml").write_text(SUITE.replace("BANDWIDTH", bandwidth), encoding="utf-8")
    command = [sys.executable, "-m", "harness", "run", "suite.toml", "--json", "-o", "run"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500)


def test_a_cell_runs_on_virtual_clocks(tmp_path):
    datasets.ADULT.fetch()
    done = run(tmp_path, "100 Mbit/s")
    (cell,) = json.loads(done.stdout)["cells"]
    assert cell["outcome"] == "done", cell["reason"]
    assert cell["metrics"]["wall_time"] == cell["metrics"]["device_time"] > 0


def test_a_rate_of_zero_is_one_clear_line(tmp_path):
    failed = run(tmp_path, "0 Mbit/s")
    assert failed.returncode == 2
    assert failed.stderr.startswith("error: suite.toml: matrix[0].device: levels.0.bandwidth: Input should be greater")
    assert failed.stderr.count("\n") == 1
