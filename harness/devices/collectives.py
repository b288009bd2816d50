"""Collectives out of messages.

All-reduce is the ring of Patarasuk and Yuan (JPDC 2009): an array is cut into as many chunks as there
are ranks; m - 1 steps round the ring add each chunk up, m - 1 more hand the sums on. Each rank sends
2 (m - 1) / m of the array, the least that is possible, and since each chunk is added up once, by the
same ranks in the same order, every rank ends with the same bits. Broadcast is a binomial tree,
all-gather a ring, the barrier a dissemination of empty messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from harness.devices.payload import is_tensor, own_copy
from harness.errors import HarnessError
from harness.worker import A, Communicator, Operation

COLLECTIVE = -1  # tags below zero are not for callers


class Collectives(Communicator):
    """A communicator whose collectives are made of its own ``isend`` and ``irecv``."""

    def broadcast(self, array: A | None, root: int = 0) -> A:
        """Give every rank root's array, along a binomial tree."""
        place = (self.rank - root) % self.size
        reach = place & -place or 1 << self.size.bit_length()
        if place:
            array = self.irecv((root + place - reach) % self.size, tag=COLLECTIVE).wait()
        elif array is None:
            raise HarnessError(f"broadcast: the root, worker {root}, has no array to give")
        children = [place + (reach >> bit) for bit in range(1, reach.bit_length())]
        sends = [
            self.isend(cast("A", array), (root + c) % self.size, tag=COLLECTIVE) for c in children if c < self.size
        ]
        for send in sends:
            send.wait()
        return cast("A", array)

    def all_reduce(self, array: A, operation: Operation = "sum") -> A:
        """Combine equally shaped arrays elementwise, round a ring; every rank gets the same bits."""
        result = own_copy(array)
        check_mean(result, operation)
        flat = result.reshape(-1)
        chunks = [flat[start:end] for start, end in chunk_bounds(len(flat), self.size)]
        for step in range(self.size - 1):
            received = self._pass_on(chunks[(self.rank - step) % self.size])
            combine(chunks[(self.rank - step - 1) % self.size], received, operation)
        if operation == "mean":
            chunks[(self.rank + 1) % self.size] /= self.size
        for step in range(self.size - 1):
            received = self._pass_on(chunks[(self.rank + 1 - step) % self.size])
            chunks[(self.rank - step) % self.size][...] = received
        return cast("A", result)

    def all_gather(self, array: A) -> list[A]:
        """Collect every rank's array, round a ring; shapes may differ."""
        gathered = {self.rank: own_copy(array)}
        for step in range(self.size - 1):
            gathered[(self.rank - step - 1) % self.size] = self._pass_on(gathered[(self.rank - step) % self.size])
        return [gathered[rank] for rank in range(self.size)]

    def barrier(self) -> None:
        """Wait until every rank is here: after round k each has heard of 2^k others."""
        import numpy as np

        distance = 1
        while distance < self.size:
            send = self.isend(np.empty(0, np.uint8), (self.rank + distance) % self.size, tag=COLLECTIVE)
            self.irecv((self.rank - distance) % self.size, tag=COLLECTIVE).wait()
            send.wait()
            distance *= 2

    def _pass_on(self, array: Any) -> Any:
        """Send to the right, receive from the left."""
        send = self.isend(array, (self.rank + 1) % self.size, tag=COLLECTIVE)
        received = self.irecv((self.rank - 1) % self.size, tag=COLLECTIVE).wait()
        send.wait()
        return received


def chunk_bounds(length: int, chunks: int) -> Sequence[tuple[int, int]]:
    """Cut a length into chunks that differ by at most one."""
    return [(i * length // chunks, (i + 1) * length // chunks) for i in range(chunks)]


def combine(into: Any, other: Any, operation: Operation) -> None:
    """Add (or take the larger or smaller of) two arrays, in place."""
    if into.shape != other.shape or into.dtype != other.dtype:
        raise HarnessError(
            f"all_reduce: arrays differ between workers: a chunk of {tuple(into.shape)} {into.dtype} "
            f"met one of {tuple(other.shape)} {other.dtype}"
        )
    if is_tensor(into):
        import torch as library
    else:
        import numpy as library  # type: ignore[no-redef]
    name = {"sum": "add", "mean": "add", "max": "maximum", "min": "minimum"}[operation]
    getattr(library, name)(into, other, out=into)


def check_mean(array: Any, operation: Operation) -> None:
    """Refuse the mean of what has no fractions."""
    fractions = (
        array.dtype.is_floating_point or array.dtype.is_complex if is_tensor(array) else array.dtype.kind in "fc"
    )
    if operation == "mean" and not fractions:
        raise HarnessError(f"all_reduce: no mean of {array.dtype}: convert to floating point first")
