"""How a rank that torch's launcher started is linked to the others."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import HarnessError, Job, Worker
from harness.devices import (
    MessageCommunicator,
    Place,
    TorchCommunicator,
    Wire,
    gloo_beside,
    naming_the_lost,
    process_group,
    socket_wire,
)
from harness_links.offsets import clock_offset

if TYPE_CHECKING:
    from harness_links.torchrun import Torchrun

BOOT = Path("/proc/sys/kernel/random/boot_id")
NETWORK = Path("/proc/self/ns/net")
LOOPBACK = "127.0.0.1"


class Station(NamedTuple):
    """The machine of a rank, and the GPU that it has to itself there, if any."""

    machine: str
    gpu: str


@contextmanager
def join(device: Torchrun, place: Place, job: Job[Any]) -> Iterator[Worker]:
    """Link this rank to the others, over the network where they are on several machines."""
    stations: list[Station] = place.meet(Station(machine(), _own_gpu()))
    apart = len({station.machine for station in stations}) > 1
    host = _address(device.interface) if device.interface or apart else LOOPBACK
    gpu = stations[place.rank].gpu if _on_gpus(device, stations) else ""
    wire = socket_wire(place, host=host, torch_device=gpu or "cpu")
    if apart:
        job.trace.fact("clock_offset", clock_offset(wire, job.trace.clock)._asdict())
    with _on_gpu(gpu, wire, place, job, host) if gpu else _on_cpu(wire, place, job, host) as worker:
        yield worker


@contextmanager
def _on_cpu(wire: Wire, place: Place, job: Job[Any], host: str) -> Iterator[Worker]:
    with MessageCommunicator(wire, job.trace) as comm:
        group = partial(gloo_beside, wire, place, host=host)
        with naming_the_lost(wire):
            yield Worker(place.rank, place.size, job, comm, torch_group=group)


@contextmanager
def _on_gpu(gpu: str, wire: Wire, place: Place, job: Job[Any], host: str) -> Iterator[Worker]:
    from torch import cuda

    cuda.set_device(gpu)
    group = process_group(place, "nccl", host=host)
    with group, TorchCommunicator(wire, job.trace, "nccl") as comm, naming_the_lost(wire):
        yield Worker(place.rank, place.size, job, comm, gpu, cuda.synchronize, torch_group=nullcontext)


def machine() -> str:
    """What tells this machine, since its start, from every other; a container with a network of its own is one too."""
    try:
        return f"{BOOT.read_text(encoding='ascii').strip()} {NETWORK.readlink()}"
    except OSError:
        return socket.gethostname()


def _own_gpu() -> str:
    from torch import cuda

    local = int(os.environ["LOCAL_RANK"])
    return f"cuda:{local}" if local < cuda.device_count() else ""


def _on_gpus(device: Torchrun, stations: Sequence[Station]) -> bool:
    """Whether the workers compute on GPUs, as all of them find."""
    without = [rank for rank, station in enumerate(stations) if not station.gpu]
    if device.backend == "nccl" and without:
        raise HarnessError(f"rank {without[0]} has no GPU of its own: start as many ranks as there are, or take gloo")
    return device.backend != "gloo" and not without


def _address(interface: str) -> str:
    """This machine's address on an interface; else the one from which it reaches the first rank's."""
    if not interface:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])))
            address: str = probe.getsockname()[0]
        return address
    import psutil

    known = psutil.net_if_addrs()
    for found in known.get(interface, ()):
        if found.family == socket.AF_INET:
            return str(found.address)
    raise HarnessError(f"no interface {interface!r} with an address on this machine: it has {', '.join(known)}")
