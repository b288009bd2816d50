"""A plugin for tests: workers add up, step by step, and go on from where they were saved.

At one step they wait for a file, so that a test can take one of them away there.
"""

import json
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field, PositiveInt

from harness import Parallelizer, Workload, hookimpl

SAVED = "saved.json"


class Sums(Workload):
    """Add the numbers of all ranks at every step."""

    name: ClassVar[str] = "sums"
    steps: PositiveInt = Field(10, description="additions")
    hold: PositiveInt = Field(5, description="after this step, wait for the file")
    until: Path = Field(description="the file that is waited for")

    def prepare(self):
        """Nothing to prepare."""


class Resuming(Parallelizer[Sums]):
    """Each worker adds; the first saves the sum after each step."""

    name: ClassVar[str] = "resuming"
    workers: PositiveInt = 2

    def run(self, job):
        job.launch(add, self.workers)


def add(worker):
    workload, path = worker.job.workload, worker.job.folder / SAVED
    saved = json.loads(path.read_text()) if worker.rank == 0 and path.exists() else [0, 0.0]
    done, total = worker.comm.broadcast(np.array(saved) if worker.rank == 0 else None)
    for step in range(int(done) + 1, workload.steps + 1):
        total += worker.comm.all_reduce(np.array([float(step)]))[0]
        worker.trace.value("loss", total, step=step)
        if worker.rank == 0:
            path.with_suffix(".part").write_text(json.dumps([step, total]))
            path.with_suffix(".part").rename(path)
        while step == workload.hold and not workload.until.exists():
            time.sleep(0.01)


@hookimpl
def harness_workloads():
    return [Sums]


@hookimpl
def harness_parallelizers():
    return [Resuming]
