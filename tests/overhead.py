"""What the harness itself costs: a suite of cells that do nothing. ``python tests/overhead.py 10000`` prints it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from harness.store import Run

UNRULY = Path(__file__).parent / "packages" / "unruly"
GROUPS = 100
SUITE = """
title = "No work"
metrics = ["final_loss", "sum_of_losses", "wall_time"]
[[matrix]]
workload = [{workloads}]
parallelizer = [{parallelizers}]
seeds = {seeds}
[[claims]]
id = "same"
says = "Nothing is as good as nothing."
source = "here"
each = "workload"
cells.a = {{ parallelizer = "p1" }}
cells.b = {{ parallelizer = "p2" }}
measure = "a.sum_of_losses / b.sum_of_losses"
holds = "0.99..1.01"
"""


@dataclass(frozen=True)
class Overhead:
    """What a run of so many cells took: seconds of a cell (its median) and of the report, bytes as it went on."""

    cells: int
    done: int
    cell_seconds: float
    report_seconds: float
    engine_bytes: list[int]

    def __str__(self) -> str:
        early, late = self.engine_bytes[self.cells // 10], self.engine_bytes[-1]
        return (
            f"{self.done} of {self.cells} cells done, {self.cell_seconds * 1e3:.1f} ms a cell (median); "
            f"engine {early / 2**20:.1f} MiB after a tenth of them, {late / 2**20:.1f} MiB at the end; "
            f"report and page {self.report_seconds:.1f} s"
        )


def measure(cells: int, folder: Path) -> Overhead:
    """Run so many cells of no work, and write their report and their page."""
    workloads = ", ".join(f'{{ name = "counting", upto = {i}, label = "w{i}" }}' for i in range(1, 11))
    parallelizers = ", ".join(f'{{ name = "slow", seconds = 0, workers = {i}, label = "p{i}" }}' for i in range(1, 11))
    suite = folder / "nothing.toml"
    suite.write_text(SUITE.format(workloads=workloads, parallelizers=parallelizers, seeds=cells // GROUPS))
    noted = folder / "memory"
    _harness(folder, "run", suite.name, "-o", "out", ENGINE_MEMORY=str(noted))
    began = time.monotonic()
    _harness(folder, "report", "out", "-o", "page.html")
    report_seconds = time.monotonic() - began
    results = Run.open(folder / "out").results().values()
    return Overhead(
        len(results),
        sum(result.outcome == "done" for result in results),
        statistics.median(result.seconds or 0.0 for result in results),
        report_seconds,
        [int(line) for line in noted.read_text().splitlines()],
    )


def _harness(folder: Path, *arguments: str, **variables: str) -> None:
    environment = {**os.environ, "HARNESS_PLUGINS": "unruly", "PYTHONPATH": str(UNRULY), **variables}
    command = [sys.executable, "-m", "harness", *arguments]
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="harness-") as scratch:
        print(measure(int(sys.argv[1]), Path(scratch)))
