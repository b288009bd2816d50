"""Suites in pytest: what is collected, what passes, fails and is skipped, and what pytest-benchmark keeps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

Pytest = Callable[..., subprocess.CompletedProcess[str]]

GROUPS = {"counting/serial/cpu", "counting/slow/cpu"}


@pytest.fixture
def run_pytest(unruly: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pytest:
    """Run pytest in a fresh process, in an empty folder, as if these tests were not run by workers of xdist."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HARNESS_PLUGINS": "unruly", "COLUMNS": "200"}
        command = [sys.executable, "-m", "pytest", "-v", "-ra", "-W", "error", f"--basetemp={tmp_path}/t", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=500, check=False
        )

    return run


def cells(folder: Path) -> dict[str, dict[str, Any]]:
    """The results in a run's folder, by cell id; a cell that ran twice would be an error."""
    results = [json.loads(path.read_text()) for path in folder.glob("cells/*/result.json")]
    found = {result["cell"]["id"]: result for result in results}
    assert len(found) == len(results)
    return found


def edit(suite: Path, old: str, new: str) -> None:
    text = suite.read_text()
    assert old in text
    suite.write_text(text.replace(old, new))


def test_groups_and_claims_are_tests_whose_times_are_the_cells_own(
    run_pytest: Pytest, suite: Path, tmp_path: Path
) -> None:
    done = run_pytest(suite.name, "--harness-output=out", "--benchmark-json=a.json")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in (*GROUPS, "same-answer"):
        assert f"counting.toml::{name} PASSED" in done.stdout
    assert f"Run: {tmp_path}/out/counting\n" in done.stdout
    results = cells(tmp_path / "out" / "counting")
    benchmarks = {b["name"]: b for b in json.loads((tmp_path / "a.json").read_text())["benchmarks"]}
    assert benchmarks.keys() == GROUPS
    for name, benchmark in benchmarks.items():
        metrics = [results[f"counting/{name}/{seed}"]["metrics"] for seed in (0, 1)]
        assert benchmark["group"] == "counting"
        assert benchmark["stats"]["data"] == [m["wall_time"] for m in metrics]
        assert benchmark["extra_info"]["seeds"] == [0, 1]
        losses = [m["sum_of_losses"] for m in metrics]
        assert benchmark["extra_info"]["metrics"]["sum_of_losses"] == {
            "unit": "loss",
            "better": "lower",
            "exact": True,
            "median": median(losses),
            "samples": losses,
            "unreached": 0,
        }


def test_the_first_test_of_a_block_runs_all_of_it(run_pytest: Pytest, suite: Path, tmp_path: Path) -> None:
    edit(suite, '["serial", "slow"]', '["unruly", "serial", "slow"]')
    done = run_pytest(suite.name, "-x", "--harness-output=out")
    assert "1 failed" in done.stdout
    assert "passed" not in done.stdout
    assert len(cells(tmp_path / "out" / "counting")) == 6


def test_a_failed_cell_shows_outcome_reason_and_last_output(run_pytest: Pytest, suite: Path) -> None:
    edit(suite, '["serial", "slow"]', '["serial", "slow", { name = "unruly", how = "exit", label = "bad" }]')
    done = run_pytest(suite.name, "--benchmark-json=a.json")
    assert done.returncode == 1
    assert "counting/counting/bad/cpu/0 failed: ended with status 7 and left no result\nabout to exit" in done.stdout
    assert "3 passed" in done.stdout
    assert "Traceback" not in done.stdout
    assert "harness/adapters" not in done.stdout


def test_a_claim_that_falls_short_says_what_the_paper_says_and_what_was_measured(
    run_pytest: Pytest, suite: Path
) -> None:
    edit(suite, 'holds = "0.99..1.01"', 'holds = ">= 2"\npaper = 2.5\nevidence = "reported"')
    done = run_pytest(suite.name)
    assert done.returncode == 1
    for text in (
        "same-answer falls short: Slow is as good as serial. (here)",
        "paper: 2.5 (reported)",
        "holds if: a.sum_of_losses / b.sum_of_losses >= 2",
        "here: 1, 95 % interval 1 .. 1, 2 pairs",
    ):
        assert text in done.stdout
    assert "harness/adapters" not in done.stdout


def test_a_claim_whose_interval_is_on_both_sides_is_skipped_with_it(run_pytest: Pytest, suite: Path) -> None:
    edit(suite, '"a.sum_of_losses / b.sum_of_losses"', '"a.sum_of_losses"')
    edit(suite, "0.99..1.01", "<= 4.5")
    done = run_pytest(suite.name)
    assert "same-answer inconclusive: a.sum_of_losses is 4." in done.stdout
    assert "2 pairs; holds if <= 4.5" in done.stdout


def test_a_claim_with_too_few_pairs_is_skipped_with_the_reason(run_pytest: Pytest, suite: Path) -> None:
    edit(suite, '"a.sum_of_losses / b.sum_of_losses"', '"a.wall_time / b.wall_time"')
    done = run_pytest(suite.name)
    assert done.returncode == 0
    assert "same-answer inconclusive: 2 of the 6 pairs that are needed" in done.stdout
    assert "2 passed, 1 skipped" in done.stdout


@pytest.mark.parametrize("expression", ["serial or same", "same-answer"])
def test_only_what_is_selected_runs_and_its_claims_are_not_measured(
    expression: str, run_pytest: Pytest, suite: Path, tmp_path: Path
) -> None:
    edit(suite, "[[claims]]", '[[claims]]\neach = "workload"')
    done = run_pytest(suite.name, "-k", expression, "--harness-output=out")
    assert "same-answer[counting] not measured: none of its" in done.stdout
    wanted = {"counting/counting/serial/cpu/0", "counting/counting/serial/cpu/1"} if "serial" in expression else set()
    assert set(cells(tmp_path / "out" / "counting")) == wanted


@pytest.mark.parametrize(
    ("option", "outcomes"),
    [
        ("--benchmark-skip", "3 skipped"),
        ("--benchmark-only", "2 passed, 1 skipped"),
        ("--benchmark-disable", "3 passed"),
    ],
)
def test_the_options_of_pytest_benchmark_select_as_ever(
    option: str, outcomes: str, run_pytest: Pytest, suite: Path
) -> None:
    done = run_pytest(suite.name, option)
    assert done.returncode == 0, done.stdout
    assert outcomes in done.stdout


def test_cells_that_cannot_run_here_are_skipped_with_what_is_missing(run_pytest: Pytest, suite: Path) -> None:
    edit(suite, "seeds = 2", 'seeds = 2\ndevice = "absent"')
    done = run_pytest(suite.name)
    assert done.returncode == 0
    assert "absent needs no_such_module; pip install no-such-module" in done.stdout
    assert "3 skipped" in done.stdout


def test_a_suite_without_wall_time_has_statistics_and_one_without_pytest_benchmark_has_none(
    run_pytest: Pytest, suite: Path, tmp_path: Path
) -> None:
    edit(suite, ', "wall_time"', "")
    assert run_pytest(suite.name, "--benchmark-json=a.json").returncode == 0
    benchmarks = json.loads((tmp_path / "a.json").read_text())["benchmarks"]
    assert all(b["stats"]["min"] > 0 for b in benchmarks)
    done = run_pytest(suite.name, "-p", "no:benchmark")
    assert "3 passed" in done.stdout
    assert "Rounds" not in done.stdout


def test_runs_are_saved_and_compared_and_never_overwritten(run_pytest: Pytest, suite: Path, tmp_path: Path) -> None:
    first = run_pytest(suite.name, "--harness-output=out", "--benchmark-json=a.json", "--benchmark-save=x")
    second = run_pytest(suite.name, "--harness-output=out", "--benchmark-json=b.json", "--benchmark-compare")
    assert (first.returncode, second.returncode) == (0, 0)
    assert f"Run: {tmp_path}/out/counting-2\n" in second.stdout
    assert second.stdout.count("counting/slow/cpu (0001_x)") == 1
    command = [Path(sys.executable).with_name("pytest-benchmark"), "compare", "a.json", "b.json", "--group-by=group"]
    compared = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "benchmark 'counting': 4 tests" in compared
    assert all(compared.count(name) == 2 for name in GROUPS)


def test_beside_other_workers_cells_run_and_claims_are_tested_without_times(
    run_pytest: Pytest, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    done = run_pytest(suite.name, "--harness-output=out")
    assert "3 passed" in done.stdout
    metrics = [result["metrics"] for result in cells(tmp_path / "out" / "counting").values()]
    assert {m["wall_time"] for m in metrics} == {None}
    assert None not in {m["sum_of_losses"] for m in metrics}


def test_xdist_keeps_a_suite_in_one_worker(run_pytest: Pytest, suite: Path, tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    done = run_pytest(suite.name, "-n2", "--harness-output=out")
    assert "3 passed" in done.stdout
    assert [folder.name for folder in (tmp_path / "out").iterdir()] == ["counting"]
    assert len(cells(tmp_path / "out" / "counting")) == 4


def test_a_bad_suite_is_one_line(run_pytest: Pytest, suite: Path) -> None:
    edit(suite, '"slow"]', '"slw"]')
    done = run_pytest(suite.name)
    assert done.returncode == 2
    assert "counting.toml: matrix[0].parallelizer[1]: unknown parallelizer 'slw'; did you mean 'slow'" in done.stdout
    assert "Traceback" not in done.stdout


def test_no_toml_is_collected_unless_it_is_a_suite_that_was_named(
    run_pytest: Pytest, suite: Path, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "thing"\n')
    nothing_collected = 5
    assert run_pytest(".").returncode == nothing_collected
    done = run_pytest("pyproject.toml")
    assert "collected 0 items" in done.stdout


def test_the_plugin_imports_nothing_but_pytest() -> None:
    code = "import pytest, sys; before = set(sys.modules); import harness.adapters.pytest_plugin; "
    code += "print(sorted({m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['harness']"
