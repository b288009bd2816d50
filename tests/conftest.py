"""What the core's tests share: a registry with the test plugin, and the command line in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeVar

import pytest

from harness.registry import Registry, load_from

HERE = Path(__file__).parent
UNRULY = HERE / "packages" / "unruly"

Harness = Callable[..., subprocess.CompletedProcess[str]]
Answer = TypeVar("Answer")


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def once(ask: Callable[[], Answer]) -> Answer:
    """The first answer that is not empty; only a failure takes so long that it is given up."""
    deadline = time.monotonic() + 120
    while not (answer := ask()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert answer
    return answer


@pytest.fixture
def unruly(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The test plugin, findable in this process and in those it starts."""
    monkeypatch.syspath_prepend(str(UNRULY))
    monkeypatch.setenv("PYTHONPATH", str(UNRULY))
    yield UNRULY
    sys.modules.pop("unruly", None)


@pytest.fixture
def registry(unruly: Path) -> Registry:
    """The built-ins and the test plugin, whatever else is installed here."""
    return load_from([p for p in entry_points(group="harness") if p.name in ("builtin", "unruly")])


@pytest.fixture
def harness(unruly: Path, tmp_path: Path) -> Harness:
    """Run the command line in a fresh process, in an empty folder."""

    def run(*arguments: str, timeout: float = 500, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HARNESS_PLUGINS": "unruly", "COLUMNS": "200", **variables}
        command = [sys.executable, "-m", "harness", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    return run


SUITE = """
title = "Counting"
metrics = ["final_loss", "sum_of_losses", "wall_time"]
[[matrix]]
workload = "counting"
parallelizer = ["serial", "slow"]
seeds = 2
[[claims]]
id = "same-answer"
says = "Slow is as good as serial."
source = "here"
cells.a = { parallelizer = "slow" }
cells.b = { parallelizer = "serial" }
measure = "a.sum_of_losses / b.sum_of_losses"
holds = "0.99..1.01"
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite of four small cells and one claim."""
    path = tmp_path / "counting.toml"
    path.write_text(SUITE)
    return path
