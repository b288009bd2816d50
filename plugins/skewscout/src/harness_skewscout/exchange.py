"""What partitions tell each other: the same sums, whether all partitions live in one worker or each in its own.

A worker holds ``rows``: one row of a matrix for each partition that it has, all of them or one. What a
partition publishes is counted once as ``update_bytes``, however many others receive it: four bytes an
entry when dense, four more for its index when sparse, and never more than dense.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness import TraceWriter, Worker

if TYPE_CHECKING:
    import torch

VALUE_BYTES = 4
ENTRY_BYTES = 8


class Exchange(ABC):
    """Sums over all partitions; ``rows`` numbers those of this worker."""

    partitions: int
    rows: Sequence[int]

    def __init__(self, trace: TraceWriter) -> None:
        self._trace = trace
        self.published = 0

    def total(self, published: torch.Tensor) -> torch.Tensor:
        """The sum over all partitions of rows (rows, n), each sent whole: (n,)."""
        self.count(VALUE_BYTES * published.numel())
        return self.sum(published)

    def total_of_some(self, published: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """The same of the chosen entries alone; ``published`` is zero elsewhere."""
        dense = VALUE_BYTES * published.shape[1]
        self.count(sum(min(ENTRY_BYTES * int(entries), dense) for entries in chosen.sum(1)))
        return self._sum_of_some(published, chosen)

    def count(self, amount: int) -> None:
        """Count bytes that this worker's partitions publish."""
        self.published += amount
        self._trace.count("update_bytes", amount)

    @abstractmethod
    def sum(self, rows: torch.Tensor) -> torch.Tensor:
        """The sum over all partitions of rows (rows, n): (n,); not counted, for evaluation."""

    @abstractmethod
    def _sum_of_some(self, published: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor: ...

    @abstractmethod
    def gather(self, rows: torch.Tensor) -> torch.Tensor:
        """Every partition's row, in order: (partitions, n); not counted, for evaluation."""

    @abstractmethod
    def visit(self, rows: torch.Tensor, shift: int) -> torch.Tensor:
        """Let each partition's row travel ``shift`` partitions on: what arrived at each of mine. Counted."""

    @abstractmethod
    def agreed(self, decision: bool) -> bool:
        """The first worker's decision."""


class Together(Exchange):
    """All partitions in one worker."""

    def __init__(self, trace: TraceWriter, partitions: int) -> None:
        super().__init__(trace)
        self.partitions = partitions
        self.rows = range(partitions)

    def sum(self, rows: torch.Tensor) -> torch.Tensor:
        """Add them up."""
        return rows.sum(0)

    def _sum_of_some(self, published: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        return published.sum(0)

    def gather(self, rows: torch.Tensor) -> torch.Tensor:
        """They are all here."""
        return rows

    def visit(self, rows: torch.Tensor, shift: int) -> torch.Tensor:
        """Row k is the guest of place k + shift."""
        self.count(VALUE_BYTES * rows.numel())
        return rows.roll(shift, 0)

    def agreed(self, decision: bool) -> bool:
        """There is nobody to ask."""
        return decision


class Apart(Exchange):
    """Each partition in a worker of its own, over the device's communicator."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker.trace)
        self._comm = worker.comm
        self.partitions = worker.size
        self.rows = [worker.rank]

    def sum(self, rows: torch.Tensor) -> torch.Tensor:
        """Add them up round a ring."""
        return self._comm.all_reduce(rows[0].contiguous())

    def _sum_of_some(self, published: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        import torch

        (row,) = published
        entries = chosen[0].nonzero().flatten().int()
        values = row[entries]
        if ENTRY_BYTES * len(entries) >= VALUE_BYTES * len(row):
            entries, values = entries[:0], row  # sent whole, which the others see by the missing indices
        total = torch.zeros_like(row)
        for index, value in zip(self._comm.all_gather(entries), self._comm.all_gather(values), strict=True):
            if len(index) == len(value):
                total.index_add_(0, index.long(), value)
            else:
                total += value
        return total

    def gather(self, rows: torch.Tensor) -> torch.Tensor:
        """Ask everybody."""
        import torch

        return torch.stack(self._comm.all_gather(rows[0].contiguous()))

    def visit(self, rows: torch.Tensor, shift: int) -> torch.Tensor:
        """Send mine on, and take in whoever comes."""
        self.count(VALUE_BYTES * rows.numel())
        size, rank = self._comm.size, self._comm.rank
        sent = self._comm.isend(rows[0].contiguous(), (rank + shift) % size)
        arrived: Any = self._comm.receive((rank - shift) % size)
        sent.wait()
        visitors: torch.Tensor = arrived[None]
        return visitors

    def agreed(self, decision: bool) -> bool:
        """Hear it from worker 0."""
        import numpy as np

        return bool(self._comm.broadcast(np.array([decision]) if self._comm.rank == 0 else None)[0])
