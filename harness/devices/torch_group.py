"""All-reduce of tensors by torch.distributed, beside a wire for everything else.

NCCL and gloo know no requests, no messages that come unasked and no shapes that the receiver did
not expect; the wire does. What they are for is the one operation that has to be fast.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, cast

from harness.devices.collectives import check_mean
from harness.devices.messages import MessageCommunicator
from harness.devices.payload import byte_count, is_tensor, own_copy
from harness.devices.running import Place
from harness.devices.wire import Wire, farewell
from harness.errors import HarnessError
from harness.trace import TraceWriter
from harness.worker import A, Operation, PeerLost

if TYPE_CHECKING:
    import torch

Backend = Literal["nccl", "gloo"]
DTYPES = ("float16", "bfloat16", "float32", "float64", "int32", "int64")
INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
NOTICE_SECONDS = 1.0


class TorchCommunicator(MessageCommunicator):
    """A communicator that lets the default process group of torch.distributed reduce tensors."""

    def __init__(self, wire: Wire, trace: TraceWriter, backend: Backend) -> None:
        self._backend = backend
        super().__init__(wire, trace)

    def all_reduce(self, array: A, operation: Operation = "sum") -> A:
        """Reduce natively; counted as the ring's bytes, 2 (m - 1) / m of the tensor, to the right."""
        if self.size == 1 or not is_tensor(array) or not self._reduces(array):
            return super().all_reduce(array, operation)
        check_mean(array, operation)
        total = byte_count(array) * 2 * (self.size - 1) // self.size
        self._bytes.add(self._peer((self.rank + 1) % self.size), total)
        staged = own_copy(array.cpu() if self._backend == "gloo" else array)
        self._reduce(staged, operation)
        return cast("A", staged.to(array.device))

    def _reduces(self, tensor: torch.Tensor) -> bool:
        """Whether the backend can take such a tensor."""
        known = str(tensor.dtype).removeprefix("torch.") in DTYPES
        return known and (self._backend == "gloo" or tensor.is_cuda)

    def _reduce(self, tensor: torch.Tensor, operation: Operation) -> None:
        import torch.distributed as dist

        codes = {
            "sum": dist.ReduceOp.SUM,
            "mean": dist.ReduceOp.SUM,
            "max": dist.ReduceOp.MAX,
            "min": dist.ReduceOp.MIN,
        }
        try:
            dist.all_reduce(tensor, codes[operation], self._group)
        except RuntimeError as error:
            raise explained(error, self._wire) from error
        if operation == "mean":
            tensor /= self.size

    def _become(self, ranks: Sequence[int], channel: int) -> None:
        import torch.distributed as dist

        super()._become(ranks, channel)
        whole = len(ranks) == self._wire.size
        self._group: Any = dist.group.WORLD if whole else dist.new_group(sorted(ranks), use_local_synchronization=True)


def explained(error: RuntimeError, wire: Wire) -> Exception:
    """Name the lost peer: torch does not, the wire does a moment later."""
    deadline = time.monotonic() + NOTICE_SECONDS
    while time.monotonic() < deadline:
        for rank, reason in wire.lost().items():
            return PeerLost(farewell(rank, reason))
        time.sleep(0.01)
    return error


@contextmanager
def process_group(place: Place, backend: Backend, *, host: str = "127.0.0.1") -> Iterator[None]:
    """Set up torch.distributed's default process group among the ranks of a launch.

    ``host`` is this rank's own address; what the group sends goes through the interface that has it.
    """
    import torch.distributed as dist
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    os.environ.update(dict.fromkeys(INTERFACES, interface_of(host)))
    store = TCPStore(host, 0, is_master=True, wait_for_workers=False) if place.rank == 0 else None
    first, port = place.meet((host, store.port if store else None))[0]
    store = store or TCPStore(first, port, is_master=False)
    dist.init_process_group(backend, store=store, rank=place.rank, world_size=place.size)
    yield
    # Not after an error: a backend may then wait for what never comes, and the process ends anyway.
    dist.destroy_process_group()


@contextmanager
def gloo_beside(wire: Wire, place: Place, *, host: str) -> Iterator[None]:
    """Set up a process group on gloo beside a wire, which tells of peers that are lost."""
    with naming_the_lost(wire), process_group(place, "gloo", host=host):
        yield


@contextmanager
def naming_the_lost(wire: Wire) -> Iterator[None]:
    """Let ``PeerLost`` name a peer where others only say, by a ``RuntimeError``, that something broke."""
    try:
        yield
    except RuntimeError as error:
        raise explained(error, wire) from error


def interface_of(host: str) -> str:
    """The name of the interface that has an address."""
    import psutil

    for interface, addresses in psutil.net_if_addrs().items():
        if any(address.address == host for address in addresses):
            return str(interface)
    raise HarnessError(f"no interface of this machine has the address {host}")
