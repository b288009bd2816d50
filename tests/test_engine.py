"""Running cells: one goes wrong, the others go on, and nothing that finished is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import UNRULY, Harness, once


def metrics(folder: Path) -> dict[str, dict[str, float]]:
    timeless = {}
    for path in (folder / "cells").glob("*/result.json"):
        if not path.parent.suffix[1:].isdigit():
            result = json.loads(path.read_text())
            timeless[result["cell"]["id"]] = {k: v for k, v in result["metrics"].items() if k != "wall_time"}
    return timeless


def test_a_killed_run_resumes_repeats_nothing_and_gives_the_same(harness: Harness, suite: Path, tmp_path: Path) -> None:
    gated(suite)
    suite.write_text(suite.read_text().replace("seeds = 2", "seeds = 3"))
    command = [sys.executable, "-m", "harness", "run", suite.name, "-o", "cut"]
    with subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "HARNESS_PLUGINS": "unruly"}) as process:
        (waiting,) = once(lambda: list(tmp_path.glob("gate-*")))
        process.kill()
    os.kill(int(waiting.name.rpartition("-")[2]), signal.SIGKILL)
    finished = {p: p.stat().st_mtime_ns for p in tmp_path.glob("cut/cells/*/result.json")}
    assert 2 <= len(finished) < 6
    (tmp_path / "gate").touch()
    again = harness("run", suite.name, "-o", "cut", "--resume", "--json")
    assert again.returncode == 0, again.stderr
    kept = [p for p, when in finished.items() if p.exists() and p.stat().st_mtime_ns == when]
    assert len(kept) >= 2, "the first block was whole"
    whole = harness("run", suite.name, "-o", "whole", "--json")
    assert whole.returncode == 0, whole.stderr
    assert metrics(tmp_path / "cut") == metrics(tmp_path / "whole")


def gated(suite: Path) -> None:
    """Have one cell wait for the file ``gate``, and leave a file ``gate-PID``."""
    gate = suite.with_name("gate")
    text = suite.read_text().replace('"slow"]', f'{{ name = "gated", gate = "{gate}", label = "slow" }}]')
    suite.write_text(text)


def test_a_run_that_another_process_is_at_is_refused(harness: Harness, suite: Path, tmp_path: Path) -> None:
    gated(suite)
    command = [sys.executable, "-m", "harness", "run", suite.name, "-o", "out"]
    with subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "HARNESS_PLUGINS": "unruly"}) as process:
        once(lambda: list(tmp_path.glob("gate-*")))
        second = harness("run", suite.name, "-o", "out", "--resume")
        process.kill()
    assert second.returncode == 2
    assert second.stderr == "error: out: another process is at this run: wait for its end, or choose another -o\n"


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_keeps_what_finished_and_leaves_no_process(
    jobs: str, harness: Harness, suite: Path, tmp_path: Path
) -> None:
    gated(suite)
    command = [sys.executable, "-m", "harness", "run", suite.name, "-o", "out", "--jobs", jobs]
    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "HARNESS_PLUGINS": "unruly"}, stderr=subprocess.PIPE, text=True
    ) as process:
        assert once(lambda: list(tmp_path.glob("gate-*")))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert once(lambda: not [p for p in Path("/proc").glob("[0-9]*/cwd") if _points_into(p, tmp_path)])


def _points_into(link: Path, folder: Path) -> bool:
    try:
        return Path(os.readlink(link)).is_relative_to(folder)
    except OSError:
        return False


def test_two_runs_of_a_cell_give_the_same_events_times_apart(harness: Harness, suite: Path, tmp_path: Path) -> None:
    from harness.tracefile import Trace

    for name in ("one", "two"):
        assert harness("run", suite.name, "-o", name, "--only", "*serial*").returncode == 0
    events = []
    for name in ("one", "two"):
        traces = sorted((tmp_path / name / "cells").glob("*/trace.parquet"))
        assert len(traces) == 2
        for path in traces:
            values = Trace.read(path).values("loss")
            events.append((values.step.tolist(), values.value.tolist()))
    assert events[:2] == events[2:]
    assert events[0] != events[1], "the seeds differ"


def test_a_cell_may_name_another_interpreter(harness: Harness, suite: Path) -> None:
    suite.write_text(suite.read_text().replace("seeds = 2", f'seeds = 1\npython = "{sys.executable}"'))
    done = harness("run", suite.name, "-o", "out", "--json")
    assert done.returncode == 0, done.stderr
    assert {c["outcome"] for c in json.loads(done.stdout)["cells"]} == {"done"}


def test_with_several_jobs_no_time_is_measured(harness: Harness, suite: Path) -> None:
    done = harness("run", suite.name, "-o", "out", "--jobs", "2", "--json")
    assert done.returncode == 0, done.stderr
    cells = json.loads(done.stdout)["cells"]
    assert all(c["metrics"]["wall_time"] is None for c in cells)
    assert all(c["metrics"]["sum_of_losses"] > 0 for c in cells)


def test_what_was_missing_and_is_there_now_is_run_on_resuming(harness: Harness, suite: Path, tmp_path: Path) -> None:
    suite.write_text(suite.read_text().replace("seeds", 'device = ["cpu", "absent"]\nseeds'))
    assert harness("run", suite.name, "-o", "out").returncode == 0
    again = json.loads(harness("run", suite.name, "-o", "out", "--resume", "--json").stdout)
    assert [c["outcome"] for c in again["cells"]].count("skipped") == 4
    (tmp_path / "no_such_module.py").touch()
    path = os.pathsep.join([str(UNRULY), str(tmp_path)])
    there = json.loads(harness("run", suite.name, "-o", "out", "--resume", "--json", PYTHONPATH=path).stdout)
    assert [c["outcome"] for c in there["cells"]].count("skipped") == 0


def test_a_skipped_cell_says_why_and_its_claim_is_not_measured(harness: Harness, suite: Path) -> None:
    suite.write_text(suite.read_text().replace("seeds", 'device = "absent"\nseeds'))
    done = harness("run", suite.name, "-o", "out", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert {c["outcome"] for c in summary["cells"]} == {"skipped"}
    assert summary["claims"][0]["verdict"] == "not measured"
    assert "no_such_module" in summary["cells"][0]["reason"]
