"""A job in a test's own process: a parallelizer runs a workload, and the test reads what was recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.components import Budget, Device, Job, Parallelizer, Workload
from harness.devices import Cpu
from harness.trace import TraceWriter
from harness.tracefile import Trace, merge


def run_job(
    parallelizer: Parallelizer[Any],
    workload: Workload,
    folder: Path,
    *,
    device: Device | None = None,
    seed: int = 0,
    **budget: Any,
) -> Trace:
    """Prepare and run a job in ``folder``, without a cell's process and limits; its trace.

    The device is the CPU unless told; ``budget`` takes Budget's fields.
    """
    folder.mkdir(parents=True, exist_ok=True)
    job = Job(workload, device or Cpu(), Budget(**budget), seed, TraceWriter(folder), folder)
    workload.prepare()
    workload.keep(seed)
    with job.trace.span("prepare"):
        parallelizer.prepare(job)
    parallelizer.run(job)
    job.trace.close()
    return Trace.read(merge(folder))
