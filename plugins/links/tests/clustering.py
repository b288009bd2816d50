"""What the tests of ``cluster`` share: links, and what workers do over them."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import psutil
from simulating import launch

from harness_links import Cluster

MISSING = str(Cluster().availability())
PAYLOAD = 1_000_000


def flat(workers, bandwidth):
    return Cluster(levels=[{"workers": workers, "bandwidth": bandwidth}])


def transfer(worker, source, to, size=PAYLOAD):
    """Seconds from the sending of so many bytes to the answer that they are here."""
    started = time.perf_counter()
    if worker.rank == source:
        worker.comm.send(np.zeros(size, np.uint8), to)
        worker.comm.receive(to)
    elif worker.rank == to:
        worker.comm.receive(source)
        worker.comm.send(np.zeros(0, np.uint8), source)
    return time.perf_counter() - started


def send_once(worker):
    return transfer(worker, 0, 1)


def near_and_far(worker):
    """Seconds to the next worker at best, and to the last."""
    near = min(transfer(worker, 0, 1) for _ in range(20))
    worker.comm.barrier()
    return near, transfer(worker, 0, worker.size - 1)


def both_ways(worker):
    """Seconds for a message each way at once, at best."""
    return min(_swap(worker) for _ in range(5))


def _swap(worker):
    worker.comm.barrier()
    started = time.perf_counter()
    sending = worker.comm.isend(np.zeros(PAYLOAD, np.uint8), 1 - worker.rank)
    worker.comm.receive(1 - worker.rank)
    sending.wait()
    worker.comm.barrier()
    return time.perf_counter() - started


def surroundings(worker):
    """What a worker sees of the network: its namespace, and its interfaces' addresses."""
    addresses = {name: [a.address for a in found] for name, found in psutil.net_if_addrs().items()}
    return os.readlink("/proc/thread-self/ns/net"), addresses


def die(worker):
    if worker.rank == worker.size - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    worker.comm.receive(worker.size - 1)


def fail(worker):
    raise ValueError("on purpose")


def stay(worker):
    """Say where this worker is, and stay."""
    note = worker.job.folder / f"pid-{worker.rank}"
    note.with_suffix(".part").write_text(str(os.getpid()), encoding="utf-8")
    note.with_suffix(".part").rename(note)
    time.sleep(600)


def reduce_with_torch(worker):
    """Sum tensors in torch's own process group: the sum, and the interface it was told to use."""
    import torch
    import torch.distributed as dist

    tensor = torch.full((PAYLOAD // 4,), float(worker.rank + 1))
    with worker.torch_group():
        dist.all_reduce(tensor)
    return float(tensor.min()), float(tensor.max())


def hold(folder):
    """Launch two workers that stay, as a cell does; runs in a process of its own."""
    launch(flat(2, "1 Gbit/s"), stay, 2, Path(folder))
