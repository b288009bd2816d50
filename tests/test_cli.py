"""The command line: what it prints, its exit status, and one clear line for a mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Harness

HEAVY = {"torch", "numba", "pyarrow", "plotly", "scipy", "sklearn"}


@pytest.mark.parametrize("arguments", [["list"], ["--help"], ["info", "serial"], ["run", "--help"]])
def test_looking_around_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys, atexit, harness.cli\n"
        f"atexit.register(lambda: print('HEAVY', sorted(m for m in sys.modules if m in {HEAVY!r})))\n"
        f"sys.argv = ['harness', *{arguments!r}]\nharness.cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "HEAVY []" in done.stdout


def test_list_names_components_with_their_plugin_and_version(harness: Harness) -> None:
    rows = json.loads(harness("list", "--json").stdout)
    (row,) = (r for r in rows if r["name"] == "counting")
    assert row == {
        "kind": "workload",
        "name": "counting",
        "summary": "Counts to a number; nothing can be simpler.",
        "plugin": "unruly",
        "version": "1.0",
        "error": "",
    }


def test_info_shows_parameters_and_what_fits(harness: Harness) -> None:
    (description,) = json.loads(harness("info", "counting", "--json").stdout)
    assert description["parameters"][0]["name"] == "upto"
    assert description["parameters"][0]["default"] == 5
    assert set(description["parallelizers"]) == {"serial", "slow", "gated", "unruly", "busy", "lingering"}
    assert "how far to count" in harness("info", "counting").stdout


def test_a_run_prints_tables_claims_and_its_folder(harness: Harness, suite: Path) -> None:
    done = harness("run", suite.name, "-o", "out")
    assert done.returncode == 0, done.stderr
    for text in ("Counting", "same-answer", "Slow is as good as serial.", "holds", "Run: out"):
        assert text in done.stdout


def test_report_says_the_same_from_what_is_stored(harness: Harness, suite: Path) -> None:
    first = json.loads(harness("run", suite.name, "-o", "out", "--json").stdout)
    assert json.loads(harness("report", "out", "--json").stdout) == first
    claim = first["claims"][0]
    assert (claim["measured"], claim["verdict"], claim["pairs"]) == (1.0, "holds", 2)
    assert set(claim) >= {
        "id",
        "says",
        "source",
        "paper",
        "evidence",
        "measured",
        "low",
        "high",
        "pairs",
        "holds",
        "verdict",
    }


def test_strict_exits_with_three_where_a_claim_falls_short(harness: Harness, suite: Path) -> None:
    suite.write_text(suite.read_text().replace("0.99..1.01", ">= 2"))
    assert harness("run", suite.name, "-o", "lenient").returncode == 0
    assert harness("run", suite.name, "-o", "strict", "--strict").returncode == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nowhere.toml"], "nowhere.toml: no such suite file"),
        (["run", "nowhere"], "unknown suite 'nowhere'"),
        (["info", "seriel"], "did you mean 'serial'"),
        (["list", "workloads"], "did you mean 'workload'"),
        (["report", "."], "no run here"),
        (["data", "fetch", "adlt"], "did you mean 'adult'"),
    ],
)
def test_a_mistake_is_one_line_and_status_two(arguments: list[str], message: str, harness: Harness) -> None:
    done = harness(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_a_bad_suite_runs_nothing(harness: Harness, suite: Path, tmp_path: Path) -> None:
    suite.write_text(suite.read_text().replace('"slow"]', '"slw"]'))
    done = harness("run", suite.name, "-o", "out")
    assert done.returncode == 2
    assert "did you mean 'slow'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_debug_shows_the_traceback(harness: Harness) -> None:
    assert "Traceback" in harness("--debug", "info", "seriel").stderr


def test_a_run_is_not_overwritten(harness: Harness, suite: Path) -> None:
    assert harness("run", suite.name, "-o", "out").returncode == 0
    done = harness("run", suite.name, "-o", "out")
    assert done.returncode == 2
    assert "--resume" in done.stderr


def test_compare_finds_no_change_between_equal_runs(harness: Harness, suite: Path) -> None:
    for name in ("one", "two"):
        assert harness("run", suite.name, "-o", name).returncode == 0
    changes = json.loads(harness("compare", "one", "two", "--json", "--fail-above", "10").stdout)
    exact = [c for c in changes if c["metric"] == "sum_of_losses"]
    assert {(c["ratio"], c["verdict"]) for c in exact} == {(1.0, "same")}


def test_compare_fails_on_a_regression_beyond_the_limit(harness: Harness, suite: Path) -> None:
    harness("run", suite.name, "-o", "one")
    suite.write_text(
        suite.read_text().replace(
            'workload = "counting"', 'workload = { name = "counting", upto = 50, label = "counting" }'
        )
    )
    harness("run", suite.name, "-o", "two")
    done = harness("compare", "one", "two", "--fail-above", "10")
    assert done.returncode == 1
    assert "worse" in done.stdout


def test_a_trace_is_printed_for_a_viewer(harness: Harness, suite: Path) -> None:
    harness("run", suite.name, "-o", "out")
    done = harness("trace", "out", "*serial*/0", "--format", "perfetto")
    events = json.loads(done.stdout)["traceEvents"]
    assert sum(e["name"] == "count" and e["ph"] == "X" for e in events) == 5


def test_doctor_says_what_is_missing_and_what_brings_it(harness: Harness) -> None:
    rows = json.loads(harness("doctor", "--json").stdout)
    (row,) = (r for r in rows if r["name"] == "absent")
    assert row["state"] == "missing"
    assert "pip install no-such-module" in row["detail"]


def test_print_commands_gives_a_line_that_runs_the_cell(harness: Harness, suite: Path, tmp_path: Path) -> None:
    lines = harness("run", suite.name, "-o", "out", "--print-commands").stdout.splitlines()
    assert len(lines) == 4
    spec = lines[0].split()[-1]
    assert "torchrun" in lines[0]
    assert harness("cell", spec).returncode == 0
    assert json.loads((tmp_path / spec).with_name("result.json").read_text())["outcome"] == "done"
