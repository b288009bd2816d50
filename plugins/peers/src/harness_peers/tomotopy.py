"""tomotopy's LDA: a C++ sampler with vector instructions and threads, beside Orion's."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from harness import Device, Job, Parallelizer, Workload, devices
from harness_orion import LoopWorkload


class TomotopyLda(Parallelizer[LoopWorkload]):
    """tomotopy's collapsed Gibbs sampler, at a workload's topics and priors, which stay as they are."""

    name: ClassVar[str] = "tomotopy"
    requires: ClassVar[tuple[str, ...]] = ("tomotopy",)
    remedy: ClassVar[str] = "pip install 'harness-peers[tomotopy]'"
    imports: ClassVar[tuple[str, ...]] = ("harness_peers.tomotopy_running",)

    workers: PositiveInt = Field(2, description="threads")
    scheme: Literal["default", "copy-merge", "partition"] = Field("default", description="how threads share the work")

    def refuses(self, workload: Workload, device: Device) -> str:
        """Refuse what is no topic model, and other devices than threads of one process."""
        if not isinstance(device, devices.Cpu):
            return f"tomotopy's workers are threads: use the device cpu, not {device.name}"
        return "" if workload.name == "lda" else "tomotopy models topics: use the workload lda"

    def run(self, job: Job[LoopWorkload]) -> None:
        """Sample, pass by pass."""
        from harness_peers.tomotopy_running import sample

        sample(self, job)


PARALLELIZERS = (TomotopyLda,)
