from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness_pipedream.planning.plan import Plan, Stage


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "harness", *arguments], capture_output=True, text=True, timeout=500)


def test_a_published_profile_is_planned_from_the_command_line(tmp_path: Path) -> None:
    done = harness(
        "pipedream", "plan", "vgg16", "--levels", "4 x 12 GB/s, 4 x 10 Gbit/s", "-o", str(tmp_path / "plan.json")
    )
    assert done.returncode == 0, done.stderr
    assert "15-1: replicated pipeline on 16 workers, 2 minibatches in flight" in done.stdout
    assert "1.17 times data parallelism" in done.stdout
    assert str(Plan.parse((tmp_path / "plan.json").read_text())) == "15-1"


def test_a_given_plan_is_explained_as_json(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(Plan((Stage(tuple(range(20)), 3), Stage(tuple(range(20, 40))))).to_json()))
    done = harness("pipedream", "explain", "vgg16", str(path), "--levels", "4 x 10 Gbit/s", "--cost", "paper", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["config"] == "3-1"
    assert found["cost"] == "paper"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vgg16", "--levels", "4 x 0 GB/s"), "error: a link's rate must be positive"),
        (("vgg17", "--levels", "4 x 1 GB/s"), "error: no profile 'vgg17'"),
        (("vgg16", "--levels", "99 x 1 GB/s", "--shape", "straight"), "error: a straight pipeline of 99 stages"),
        (("vgg16", "--levels", "4 x 1 GB/s", "--memory", "1 MB"), "error: no plan for 4 workers"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    done = harness("pipedream", "plan", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
