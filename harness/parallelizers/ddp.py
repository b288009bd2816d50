"""Data parallelism, the way of dividing training that others are held against."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field, PositiveInt, PrivateAttr

from harness.components import Device, Job, Parallelizer, Workload
from harness.trace import TraceWriter
from harness.units import ByteSize
from harness.workloads.training import TrainingWorkload

Backend = Literal["auto", "torch", "communicator"]


class Costs(NamedTuple):
    """Seconds that a share of a minibatch takes; ``None`` where a real clock tells."""

    forward: float | None = None
    backward: float | None = None
    update: float | None = None


class Ddp(Parallelizer[TrainingWorkload]):
    """Data parallelism: a share of each minibatch on each worker, and the mean of all gradients on all.

    With torch's process group it is torch's own DistributedDataParallel, which averages a bucket of
    gradients while the backward pass goes on to the next; over the device's communicator the buckets
    follow the backward pass. Statistics of batch normalization stay each worker's own, and the first
    worker's are evaluated. A device with a virtual clock charges what ``prepare`` measured for a share.
    """

    name: ClassVar[str] = "ddp"

    workers: PositiveInt = Field(2, description="workers, each with the whole model")
    bucket: ByteSize = Field(25 * 2**20, description="bytes of gradients that are averaged at once")
    backend: Backend = Field("auto", description="what averages; auto: torch where the device gives a process group")

    _costs: Costs = PrivateAttr(Costs())

    def refuses(self, workload: Workload, device: Device) -> str:
        """Refuse minibatches that do not divide evenly: the mean of means would not be the mean."""
        size = getattr(workload, "batch_size", self.workers)
        return f"a minibatch of {size} samples is no multiple of {self.workers} workers" if size % self.workers else ""

    def prepare(self, job: Job[Any]) -> None:
        """Measure a share's computation where a virtual clock will need it."""
        if hasattr(job.device, "numerics"):
            from harness.parallelizers.data_parallel import measure

            apart = replace(job, trace=TraceWriter(clock=job.trace.clock))
            self._costs = apart.launch(partial(measure, self.workers), 1)[0]

    def run(self, job: Job[Any]) -> None:
        """Train on all workers."""
        from harness.parallelizers.data_parallel import train

        job.launch(partial(train, self, self._costs), self.workers)
