"""The device ``processes``: worker processes on one machine, linked by TCP."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

from pydantic import Field, PositiveInt

from harness.components import Device, Job, Result
from harness.devices.crew import launch_processes
from harness.devices.mesh import connect, listen
from harness.devices.messages import MessageCommunicator
from harness.devices.running import Place
from harness.devices.sockets import SocketWire
from harness.devices.torch_group import gloo_beside
from harness.worker import Worker


class Processes(Device):
    """Worker processes on this machine, linked by TCP through its loopback interface."""

    name: ClassVar[str] = "processes"

    threads: PositiveInt = Field(1, description="compute threads a worker")

    def launch(self, main: Callable[[Worker], Result], workers: int, job: Job[Any]) -> list[Result]:
        """Run ``main`` in worker processes; it and what it returns must be picklable."""
        return launch_processes(main, workers, job, join_by_sockets, threads=self.threads)


@contextmanager
def join_by_sockets(place: Place, job: Job[Any], *, host: str = "127.0.0.1") -> Iterator[Worker]:
    """Link this rank to all others through the interface that has the address ``host``."""
    wire = socket_wire(place, host=host)
    with MessageCommunicator(wire, job.trace) as comm:
        yield Worker(place.rank, place.size, job, comm, torch_group=partial(gloo_beside, wire, place, host=host))


def socket_wire(place: Place, *, host: str = "127.0.0.1", torch_device: str = "cpu") -> SocketWire:
    """Meet the other ranks and connect to each of them."""
    with listen(host) as listener:
        met = place.meet((listener.getsockname()[:2], os.urandom(16)))
        links = connect(place.rank, [address for address, _ in met], listener, key=met[0][1])
    return SocketWire(place.rank, links, torch_device=torch_device)
