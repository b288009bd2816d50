"""torch's own pipeline schedules (torch.distributed.pipelining), which one would pick instead of PipeDream.

torch cuts no model: the stages are those of a plan of PipeDream's, each on one worker. A minibatch is
cut into microbatches, whose gradients are averaged before one update, so that losses are those of
training with one worker. Activations and gradients travel through a process group of torch's, and are
counted where torch makes the operations that send them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PositiveInt, PrivateAttr

from harness import Device, Job, Parallelizer, TrainingWorkload, Workload, devices, units
from harness_pipedream.parallelizers import StageFields

if TYPE_CHECKING:
    import torch
    from torch.distributed.pipelining import PipelineStage

    from harness_peers.cutting import Layers

    Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class TorchPipeline(Parallelizer[TrainingWorkload]):
    """A schedule of torch's on the stages of a plan."""

    requires: ClassVar[tuple[str, ...]] = ("torch",)
    remedy: ClassVar[str] = "pip install 'harness-peers[pipelining]'"
    imports: ClassVar[tuple[str, ...]] = ("harness_peers.pipelined",)

    workers: PositiveInt = Field(2, description="workers, which take the stages in turns")
    microbatches: PositiveInt = Field(4, description="parts of a minibatch")
    plan: Literal["straight"] | tuple[StageFields, ...] = Field(
        "straight", description="straight (cut where a profile says), or tables with layers (a number, or indices)"
    )
    profile: str = Field("", description="a profile's file to cut with; measured if empty")
    repeats: PositiveInt = Field(20, description="minibatches that a measured profile is the median of")
    bandwidth: units.ByteRate = Field(1.25e9, description="between workers, where the device has no levels of its own")

    _layers: Layers | None = PrivateAttr(None)

    @property
    def stages(self) -> int:
        """The stages of all workers."""
        return self.workers

    @abstractmethod
    def schedule(self, stages: Sequence[PipelineStage], loss: Loss) -> Any:
        """Make the schedule of this worker's stages."""

    def refuses(self, workload: Workload, device: Device) -> str:
        """Refuse threads and virtual clocks, other numbers of stages, and minibatches that do not divide."""
        if isinstance(device, devices.Cpu) or hasattr(device, "numerics"):
            return f"torch has no process group on {device.name}: use a device that runs workers as processes"
        if isinstance(self.plan, tuple):
            if any(stage.replicas > 1 for stage in self.plan):
                return "torch's schedules have no replicated stages: leave out replicas"
            if len(self.plan) != self.stages:
                return f"{self.name} runs {self.stages} stages on {self.workers} workers, the plan has {len(self.plan)}"
        size = getattr(workload, "batch_size", self.microbatches)
        if size % self.microbatches:
            return f"a minibatch of {size} samples does not divide into {self.microbatches} microbatches"
        return ""

    def prepare(self, job: Job[Any]) -> None:
        """Profile where that is needed, and cut the model."""
        from harness_peers.cutting import cut

        self._layers = cut(self, job)

    def run(self, job: Job[Any]) -> None:
        """Train on all workers."""
        from harness_peers.pipelined import train

        if self._layers is None:
            self.prepare(job)
        assert self._layers is not None
        job.launch(partial(train, self, self._layers), self.workers)


class Torch1F1B(TorchPipeline):
    """torch's 1F1B: microbatches forwards and backwards in turns, then a flush and one update."""

    name: ClassVar[str] = "torch-1f1b"

    def schedule(self, stages: Sequence[PipelineStage], loss: Loss) -> Any:
        """One stage a worker."""
        from torch.distributed.pipelining import Schedule1F1B

        (stage,) = stages
        return Schedule1F1B(stage, self.microbatches, loss)

    def refuses(self, workload: Workload, device: Device) -> str:
        """Refuse fewer microbatches than stages too, as torch does."""
        if self.microbatches < self.stages:
            return f"torch's 1F1B needs at least as many microbatches as stages, {self.stages}"
        return super().refuses(workload, device)


class TorchGPipe(TorchPipeline):
    """torch's GPipe: all microbatches forwards, all backwards, then one update."""

    name: ClassVar[str] = "torch-gpipe"

    def schedule(self, stages: Sequence[PipelineStage], loss: Loss) -> Any:
        """One stage a worker."""
        from torch.distributed.pipelining import ScheduleGPipe

        (stage,) = stages
        return ScheduleGPipe(stage, self.microbatches, loss)


class TorchInterleaved(TorchPipeline):
    """torch's interleaved 1F1B: several stages a worker, which shortens the flush (Narayanan et al., SC 2021)."""

    name: ClassVar[str] = "torch-interleaved"

    stages_each: PositiveInt = Field(2, description="stages of one worker; stage s is on worker s modulo workers")

    @property
    def stages(self) -> int:
        """The stages of all workers."""
        return self.workers * self.stages_each

    def schedule(self, stages: Sequence[PipelineStage], loss: Loss) -> Any:
        """Several stages a worker."""
        from torch.distributed.pipelining import ScheduleInterleaved1F1B

        return ScheduleInterleaved1F1B(list(stages), self.microbatches, loss)

    def refuses(self, workload: Workload, device: Device) -> str:
        """Refuse microbatches that do not divide into rounds over the workers too, as torch does."""
        rounds = max(1, self.microbatches // self.workers)
        if self.microbatches % rounds:
            return f"torch's interleaved 1F1B has {rounds} rounds here: the microbatches must be a multiple of that"
        return super().refuses(workload, device)


PARALLELIZERS = (Torch1F1B, TorchGPipe, TorchInterleaved)
