"""The report's section, from the traces of a run made by the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.store import Run
from harness.workloads.census import CensusMlp
from harness_skewscout import decisions
from harness_skewscout.report import TITLE, sections

SUITE = """
title = "Census at two places"
metrics = ["final_accuracy", "accuracy_of_mean", "update_bytes", "normalization_divergence"]
[[matrix]]
workload = { name = "census-mlp", partitions = 2, split = "label", degree = 0.8, label = "<b>skewed" }
parallelizer = ["bsp", { name = "skewscout", algorithm = "fedavg", period = 10, samples = 100 }]
device = "cpu"
seeds = 1
budget = { steps = 20 }
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("census")
    (folder / "census.toml").write_text(SUITE)
    command = [sys.executable, "-m", "harness", "run", "census.toml", "-o", "out", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    cells = json.loads(done.stdout)["cells"]
    assert [cell["outcome"] for cell in cells] == ["done", "done"]
    assert all(cell["metrics"]["update_bytes"] > 0 for cell in cells)
    return Run.open(folder / "out")


def test_the_table_counts_the_labels_of_each_partition(run: Run) -> None:
    ((title, html),) = sections(run)
    assert title == TITLE
    assert html.count("<table>") == 1
    workload = CensusMlp(partitions=2, split="label", degree=0.8)
    labels = workload.train_set()[1].numpy()
    expected = [np.bincount(labels[part], minlength=2).tolist() for part in workload.partition(0)]
    numbers = [int(number) for number in re.findall(r">(\d+)</td>", html)]
    assert numbers == [count for row in expected for count in row]


def test_labels_of_suites_stay_text(run: Run) -> None:
    ((_, html),) = sections(run)
    assert "<b>" not in html
    assert "&lt;b&gt;skewed" in html


def test_a_run_without_partitions_has_no_section(run: Run, tmp_path: Path) -> None:
    assert sections(Run(tmp_path, run.record)) == []
    assert decisions.sections(Run(tmp_path, run.record)) == []


def test_every_decision_is_plotted_over_the_minibatches(run: Run) -> None:
    ((title, html),) = decisions.sections(run)
    assert title == decisions.TITLE
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    plots = [json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', html)]
    assert len(plots) == 3
    for plot in plots:
        (line,) = plot["data"]
        assert line["x"] == [9.0, 19.0]
    setting, loss, communication = (plot["data"][0]["y"] for plot in plots)
    assert set(setting) <= {1.0, 2.0, 5.0, 10.0}
    assert all(-1 <= value <= 1 for value in loss)
    # One local step: a full exchange at each of 9 and of 10 minibatches, and a travel, which is counted.
    assert communication[0] == pytest.approx((9 + 1) / 10)
