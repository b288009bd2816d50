"""Federated averaging in Flower's simulation, which one would pick instead of SkewScout's ``fedavg``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PositiveFloat, PositiveInt

from harness import Device, Job, Parallelizer, TrainingWorkload, Workload, devices

if TYPE_CHECKING:
    from harness import Worker


class FlowerFedAvg(Parallelizer[TrainingWorkload]):
    """FedAvg by Flower: every partition a virtual client, all in each round, over Ray (Beutel et al., 2020)."""

    name: ClassVar[str] = "flower-fedavg"
    requires: ClassVar[tuple[str, ...]] = ("torch", "flwr", "ray")
    remedy: ClassVar[str] = (
        "pip install 'harness-peers[flower]' in an environment of its own, and run the suite with its harness"
    )

    local_steps: PositiveInt = Field(20, description="Iter_local: minibatches between two averages")
    client_cpus: PositiveFloat = Field(1.0, description="processors that Ray sets aside for one client at a time")

    def refuses(self, workload: Workload, device: Device) -> str:
        """Ray has processes of its own; a minibatch has to be the same for each client."""
        assert isinstance(workload, TrainingWorkload)
        if not isinstance(device, devices.Cpu):
            return f"Flower's simulation starts processes of its own: use the device cpu, not {device.name}"
        if workload.batch_size % workload.partitions:
            return f"a minibatch of {workload.batch_size} is not divisible by {workload.partitions} partitions"
        return ""

    def run(self, job: Job[TrainingWorkload]) -> None:
        """Launch one worker, which is Flower's server."""
        job.launch(partial(_main, self), 1)


def _main(method: FlowerFedAvg, worker: Worker) -> None:
    from harness_peers.flower_server import Server

    Server(method, worker).run()


PARALLELIZERS = (FlowerFedAvg,)
