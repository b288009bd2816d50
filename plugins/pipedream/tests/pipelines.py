"""A small workload, and pipelines of it on threads of one process."""

from __future__ import annotations

import os
import signal
from functools import cached_property, partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, ClassVar

import torch
from models import Residual
from torch import nn

from harness import Budget, Job, Trace, TraceWriter, devices
from harness.testing import chain
from harness.testing.chain import LAYERS
from harness.tracefile import merge
from harness_pipedream.planning.schedule import Schedule
from harness_pipedream.running.runtime import Setup, train

Data = tuple[torch.Tensor, torch.Tensor]


class Dense(nn.Sequential):
    """One layer of the chain, whole."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(chain.WIDTH, chain.WIDTH), nn.Tanh())


class Chain(chain.Chain):
    """Dense layers, each with its activation one layer of a profile."""

    batch_size: int = 4
    evaluations: float = 100.0

    def model(self) -> nn.Module:
        return nn.Sequential(*(Dense() for _ in range(LAYERS)))


class Skipping(Chain):
    """A residual net with batch normalization, whose shortcuts pass over stages."""

    name: ClassVar[str] = "skipping"
    evaluations: float = 3.0

    def model(self) -> nn.Module:
        return Residual()

    @cached_property
    def data(self) -> Data:
        random = torch.Generator().manual_seed(3)
        inputs = torch.randn(self.samples, 1, 4, 4, generator=random)
        return inputs, inputs.flatten(1)[:, :3].argmax(1)


class Fragile(Chain):
    """A chain whose output stage is killed once, in the middle of its second epoch."""

    name: ClassVar[str] = "fragile"
    mark: str

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Count the calls; at the 17th, the mark being there, remove it and die."""
        self.__dict__["calls"] = self.__dict__.get("calls", 0) + (outputs.requires_grad and len(outputs) == 4)
        if self.__dict__["calls"] == 17 and Path(self.mark).exists():
            Path(self.mark).unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().loss(outputs, targets)


def cut(stages: int, layers: int = LAYERS) -> tuple[tuple[int, ...], ...]:
    """Share layers out among stages, as evenly as can be."""
    ends = [0, *accumulate((layers + s) // stages for s in range(stages))]
    return tuple(tuple(range(a, b)) for a, b in pairwise(ends))


def job_of(workload: Any, folder: Path, budget: Budget, seed: int = 1, device: Any = None) -> Job[Any]:
    folder.mkdir(parents=True, exist_ok=True)
    return Job(workload, device or devices.Cpu(), budget, seed, TraceWriter(folder), folder)


def pipeline(workload: Any, schedule: Schedule, folder: Path, budget: Budget, **options: Any) -> Trace:
    """Train on threads, one a worker."""
    job = job_of(workload, folder, budget)
    setup = Setup(cut(len(schedule.replicas)), schedule, **options)
    job.launch(partial(train, setup), schedule.workers)
    return read(job)


def serial(workload: Any, folder: Path, budget: Budget) -> Trace:
    job = job_of(workload, folder, budget)
    workload.serial(job)
    return read(job)


def read(job: Job[Any]) -> Trace:
    job.trace.close()
    return Trace.read(merge(job.folder))


def losses(trace: Trace) -> dict[int, float]:
    values = trace.values("loss")
    return dict(zip(values.step.tolist(), values.value.tolist(), strict=True))
