"""The device ``cuda``: one worker a GPU, or several sharing one."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar, Literal

from pydantic import Field

from harness.components import Availability, Device, Job, Result
from harness.devices.cpu import run_here
from harness.devices.crew import launch_processes
from harness.devices.processes import socket_wire
from harness.devices.running import Place
from harness.devices.threads import thread_wires
from harness.devices.torch_group import Backend, TorchCommunicator, process_group
from harness.worker import Worker


class Cuda(Device):
    """NVIDIA GPUs: one worker runs inline, several as processes, each on GPU rank modulo their number."""

    name: ClassVar[str] = "cuda"
    requires: ClassVar[tuple[str, ...]] = ("torch",)
    remedy: ClassVar[str] = "pip install 'paper-harness[torch]'"
    imports: ClassVar[tuple[str, ...]] = ("torch",)
    start: ClassVar[Literal["fork", "spawn"]] = "spawn"

    backend: Literal["auto", "nccl", "gloo"] = Field(
        "auto", description="what reduces tensors; auto: nccl where each worker has a GPU of its own, else gloo"
    )

    def availability(self) -> Availability:
        """Whether torch is here and sees a GPU."""
        if importlib.util.find_spec("torch") is None:
            return super().availability()
        import torch

        if not torch.cuda.is_available():
            return Availability(False, "cuda needs an NVIDIA GPU that torch can see", "nvidia-smi shows what there is")
        return Availability(True)

    def launch(self, main: Callable[[Worker], Result], workers: int, job: Job[Any]) -> list[Result]:
        """Run ``main`` on ``cuda:0`` inline, or in worker processes."""
        if workers > 1:
            return launch_processes(main, workers, job, self.join, method="spawn")
        import torch

        (wire,) = thread_wires(1)
        return [run_here(main, job, wire, torch_device="cuda:0", synchronise=torch.cuda.synchronize)]

    @contextmanager
    def join(self, place: Place, job: Job[Any]) -> Iterator[Worker]:
        """Take this rank's GPU and link it to the others."""
        import torch

        gpus = torch.cuda.device_count()
        device = f"cuda:{place.rank % gpus}"
        torch.cuda.set_device(device)
        wire = socket_wire(place, torch_device=device)
        backend = self._backend(place.size, gpus)
        with process_group(place, backend), TorchCommunicator(wire, job.trace, backend) as comm:
            yield Worker(place.rank, place.size, job, comm, device, torch.cuda.synchronize, torch_group=nullcontext)

    def _backend(self, workers: int, gpus: int) -> Backend:
        if self.backend == "auto":
            return "nccl" if workers <= gpus else "gloo"
        return self.backend
