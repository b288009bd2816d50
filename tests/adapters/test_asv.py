"""Suites in asv: what is tracked under which name and unit, and a regression over two commits of a scratch clone."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.adapters.asv import Tracked, group_of, samples, track, tracked, version_of
from harness.components import Metric
from harness.errors import HarnessError
from harness.metrics.quality import FinalAccuracy
from harness.metrics.time import Throughput, WallTime
from harness.registry import Registry
from harness.suite import load
from tests.test_packaging import NOT_CORE, ROOT, shared_packages

SUITE = """
title = "Falling"
metrics = ["descent_gradients", "depth", "wall_time"]
budget = { steps = 5 }
[[matrix]]
workload = "parabola"
parallelizer = ["descent"]
seeds = 6  # in two rounds: asv calls a change significant from seven samples a side on
"""


def cell(outcome: str = "done", value: float | None = 4.0, **more: Any) -> dict[str, Any]:
    found = {"id": "s/w/p/d/0", "outcome": outcome, "reason": "it fell", "metrics": {"m": value}, "censored": {}}
    return {**found, **more}


@pytest.mark.parametrize(
    ("metric", "name", "unit"),
    [
        (WallTime, "track_m", "seconds"),
        (FinalAccuracy, "track_1_minus_m", "share"),
        (Throughput, "track_1_over_m", "1 / (samples_per_second)"),
    ],
)
def test_what_is_better_when_higher_is_tracked_as_a_cost(metric: type[Metric], name: str, unit: str) -> None:
    one = Tracked("m", metric)
    assert (one.method, one.unit) == (name, unit)


def test_samples_are_the_seeds_and_costs_are_lower_for_better() -> None:
    cells = [cell(value=0.5), cell(value=0.25)]
    assert samples(cells, "m", "") == {"samples": [0.5, 0.25], "number": 1}
    assert samples(cells, "m", "shortfall") == {"samples": [0.5, 0.75], "number": 1}
    assert samples(cells, "m", "inverse") == {"samples": [2.0, 4.0], "number": 1}


def test_failures_and_unreached_targets_fail_and_what_is_not_measured_is_skipped() -> None:
    with pytest.raises(HarnessError, match="s/w/p/d/0 failed: it fell"):
        samples([cell(), cell("failed")], "m", "")
    with pytest.raises(HarnessError, match="did not reach its target: m is at least 9"):
        samples([cell(censored={"m": 9})], "m", "")
    value = samples([cell(value=None), cell("skipped", metrics={})], "m", "")
    assert isinstance(value, float)
    assert math.isnan(value)


def test_each_suite_has_a_class_whose_parameters_are_its_groups(
    suite: Path, registry: Registry, monkeypatch: Any
) -> None:
    monkeypatch.setattr("harness.adapters.asv.load_registry", lambda: registry)
    namespace: dict[str, Any] = {"__name__": "tracked"}
    track(namespace, suite)
    one = namespace["counting"]
    assert one.params == [["counting/serial/cpu", "counting/slow/cpu"]]
    assert {name for name in vars(one) if name.startswith("track_")} == {
        "track_final_loss",
        "track_sum_of_losses",
        "track_wall_time",
    }
    assert one.track_sum_of_losses.unit == "loss"
    assert one.track_wall_time.version != one.track_final_loss.version
    assert [t.label for t in tracked(load(suite, registry).cells, registry)] == [
        "final_loss",
        "sum_of_losses",
        "wall_time",
    ]
    assert group_of("counting/counting/serial/cpu/0") == "counting/serial/cpu"


def versions(suite: Path, registry: Registry) -> dict[str, str]:
    """The version of each metric's benchmark."""
    loaded = load(suite, registry)
    return {one.label: version_of(one, loaded.cells) for one in tracked(loaded.cells, registry)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('title = "Counting"', 'title = "Counting up"  # a comment'),
        ('says = "Slow is as good as serial."', 'says = "Slow is good."'),
        ('holds = "0.99..1.01"', 'holds = "0.5..2"'),
        ("seeds = 2", 'seeds = 2\ntime_limit = 50\nmemory_limit = "1 GiB"'),
        ('["serial", "slow"]', '["slow", "serial"]'),
        (', "wall_time"]', "]"),
    ],
)
def test_what_a_metric_does_not_depend_on_leaves_its_history_alone(
    old: str, new: str, suite: Path, registry: Registry
) -> None:
    before = versions(suite, registry)
    edit(suite, old, new)
    after = versions(suite, registry)
    assert after == {label: before[label] for label in after}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"slow"]', '{ name = "slow", seconds = 0.1, label = "slow" }]'),
        ("seeds = 2", "seeds = 3"),
        ("seeds = 2", "seeds = 2\nbudget = { steps = 2 }"),
        ('workload = "counting"', 'workload = { name = "counting", upto = 7, label = "counting" }'),
        ("seeds = 2", 'seeds = 2\ndevice = "processes"'),
    ],
)
def test_other_cells_begin_every_metrics_history_anew(old: str, new: str, suite: Path, registry: Registry) -> None:
    before = versions(suite, registry)
    edit(suite, old, new)
    after = versions(suite, registry)
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())


def test_asv_keeps_the_results_of_two_suites_apart(suite: Path, registry: Registry, monkeypatch: Any) -> None:
    key = pytest.importorskip("asv_runner.benchmarks._base").get_setup_cache_key
    monkeypatch.setattr("harness.adapters.asv.load_registry", lambda: registry)
    module = ModuleType("suites.tracked")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    other = suite.with_name("other.toml")
    other.write_text(suite.read_text())
    track(vars(module), suite, other)
    keys = {key(vars(module)[name].setup_cache) for name in ("counting", "other")}
    assert len(keys) == 2, "one suite would be given the other's results"


def edit(suite: Path, old: str, new: str) -> None:
    text = suite.read_text()
    assert old in text
    suite.write_text(text.replace(old, new))


class Clone:
    """A scratch repository: the core, one small plugin, and asv with everything else shared from here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clone"
        ignored = [name for name in NOT_CORE if name not in ("plugins",)]
        shutil.copytree(ROOT, self.folder, ignore=shutil.ignore_patterns(*ignored, "plugins", "docs"))
        shutil.copytree(ROOT / "tests/packages/descent", self.folder / "plugins/descent")
        (self.folder / "suites/falling.toml").write_text(SUITE)
        self.edit("suites/tracked.py", '"smoke.toml"', '"falling.toml"')
        shared = shared_packages(folder / "shared")
        self.edit("asv.conf.json", '{"req": {"setuptools": ["84.2.1"], "torch": ["2.13.0"]}}', "{}")
        site = "{env_dir}/lib/python" + ".".join(map(str, sys.version_info[:2])) + "/site-packages"
        share = f'"/bin/sh -c \\"echo {shared} > {site}/shared.pth\\"",'
        for key in ("build_command", "install_command"):
            self.edit("asv.conf.json", f'"{key}": [', f'"{key}": [ {share}')
        self.git("init", "-q", "-b", "main")
        self.commit("one")

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=tester", "-c", "user.email=tester@localhost"]
        subprocess.run(["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True)

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def asv(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HARNESS_PLUGINS": "builtin,descent", "HOME": str(self.folder.parent)}
        environment.pop("PYTHONPATH", None)
        command = [sys.executable, "-m", "asv", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=800, check=False
        )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_thirty_percent_more_gradients_are_a_regression_and_an_equal_commit_is_none(tmp_path: Path) -> None:
    pytest.importorskip("asv")
    pytest.importorskip("virtualenv")
    clone = Clone(tmp_path)
    clone.edit("plugins/descent/descent.py", "GRADIENTS_A_STEP = 10", "GRADIENTS_A_STEP = 13")
    clone.commit("two")
    assert clone.asv("machine", "--yes").returncode == 0
    worse = clone.asv("continuous", "--interleave-rounds", "-f", "1.1", "HEAD~1", "HEAD", "-b", "gradients")
    assert worse.returncode == 1, worse.stdout + worse.stderr
    row = r"\| 50\S* +\| 65\S* +\| +1\.30? +\| tracked\.falling\.track_descent_gradients\('parabola/descent/cpu'\)"
    assert re.search(row, worse.stdout)
    assert "PERFORMANCE DECREASED" in worse.stdout

    (clone.folder / "README.md").write_text("Nothing that counts.")
    clone.commit("three")
    same = clone.asv("continuous", "-f", "1.1", "HEAD~1", "HEAD", "-b", "gradients|depth")
    assert same.returncode == 0, same.stdout + same.stderr
    assert "BENCHMARKS NOT SIGNIFICANTLY CHANGED" in same.stdout

    compared = clone.asv("compare", "HEAD~2", "HEAD")
    assert re.search(row, compared.stdout)

    clone.edit(
        "suites/falling.toml", '["descent"]', '["descent", { name = "descent", breaks = true, label = "broken" }]'
    )
    failed = clone.asv("run", "HEAD^!", "-b", "gradients")
    assert re.search(r"parabola/broken/cpu +failed", failed.stdout)
    assert "falling/parabola/broken/cpu/0 failed: RuntimeError: a step into the void" in failed.stdout

    published = clone.asv("publish", "--no-pull")
    assert published.returncode == 0, published.stdout + published.stderr
    index = json.loads((clone.folder / ".asv/html/index.json").read_text())
    assert index["benchmarks"]["tracked.falling.track_descent_gradients"]["unit"] == "gradients"
