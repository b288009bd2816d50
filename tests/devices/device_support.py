"""What worker processes of these tests import: a workload that does nothing, and a gloo device for CPUs."""

from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pyarrow.ipc

from harness.components import Budget, Device, Job, Workload
from harness.devices import (
    Cpu,
    Processes,
    TorchCommunicator,
    launch_processes,
    process_group,
)
from harness.devices.processes import socket_wire
from harness.trace import TraceWriter
from harness.worker import Worker


class Nothing(Workload):
    """A workload that leaves a mark where it was prepared."""

    name: ClassVar[str] = "nothing"
    imports: ClassVar[tuple[str, ...]] = ("torch", "pytest", "hypothesis.extra.numpy", "psutil")
    marks: str = ""

    def prepare(self):
        """Leave the mark."""
        if self.marks:
            import os

            (Path(self.marks) / f"prepared-{os.getpid()}").touch()


class GlooProcesses(Device):
    """Processes whose tensors gloo reduces."""

    name: ClassVar[str] = "gloo"

    def launch(self, main, workers, job):
        """Run them."""
        return launch_processes(main, workers, job, join_gloo)


@contextmanager
def join_gloo(place, job):
    wire = socket_wire(place)
    with process_group(place, "gloo"), TorchCommunicator(wire, job.trace, "gloo") as comm:
        yield Worker(place.rank, place.size, job, comm)


DEVICES = {"threads": Cpu(), "sockets": Processes(), "gloo": GlooProcesses()}


def job_on(device, folder=None, *, marks=""):
    return Job(Nothing(marks=str(marks)), device, Budget(), 7, TraceWriter(folder), folder or Path())


def launch(device, main, workers, folder=None):
    return job_on(device, folder).launch(main, workers)


def events(folder, rank, name):
    """(peer, step, start, end, value) of one worker's events of a name."""
    with pyarrow.ipc.open_stream(folder / f"shard-{rank}.arrow") as stream:
        rows = stream.read_all().to_pylist()
    return [(r["peer"], r["step"], r["start"], r["end"], r["value"]) for r in rows if r["name"] == name]


def bytes_sent(folder, rank):
    """Bytes that a worker sent, by peer."""
    sent = {}
    for peer, *_, amount in events(folder, rank, "bytes_sent"):
        sent[peer] = sent.get(peer, 0) + amount
    return sent
