"""Running a parallelizer on a small workload in this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness import Budget, Device, Job, Trace, TraceWriter, devices
from harness.tracefile import merge
from harness_orion import LoopParallelizer, LoopWorkload
from harness_orion.workloads import BoostedTrees, MfAdagrad, MfSgd

SMALL = {"ratings": "power-law", "count": 3000, "users": 120, "items": 60, "exponent": 0.3}
SGD = MfSgd(**SMALL, rank=8)
ADAGRAD = MfAdagrad(**SMALL, rank=12)


class FewTrees(BoostedTrees):
    """Trees on a few samples made up."""

    def prepare(self) -> None:
        """Nothing to fetch."""

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Two of the features decide."""
        bins = np.random.default_rng(5).integers(0, 6, (7, 300))
        return bins, np.where(bins[2] + bins[4] > 5, 1.0, -1.0)


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
