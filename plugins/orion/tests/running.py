"""Running a parallelizer on a small workload in this process."""

from __future__ import annotations

from pathlib import Path

from harness import Budget, Device, Job, Trace, TraceWriter, devices
from harness.tracefile import merge
from harness_orion import LoopParallelizer, LoopWorkload
from harness_orion.workloads import MfAdagrad, MfSgd

SMALL = {"ratings": "power-law", "count": 3000, "users": 120, "items": 60, "exponent": 0.3}
SGD = MfSgd(**SMALL, rank=8)
ADAGRAD = MfAdagrad(**SMALL, rank=12)


def run(
    way: LoopParallelizer,
    workload: LoopWorkload,
    folder: Path,
    *,
    seed: int = 0,
    device: Device | None = None,
    **budget,
) -> Trace:
    """The trace of one run."""
    folder.mkdir()
    trace = TraceWriter(folder)
    job = Job(workload, device or devices.Cpu(), Budget(**budget), seed, trace, folder)
    workload.prepare()
    way.run(job)
    trace.close()
    return Trace.read(merge(folder))


def losses(trace: Trace) -> list[float]:
    """The loss, evaluation by evaluation."""
    found: list[float] = trace.values("loss").value.tolist()
    return found
