"""What code on one rank sees: its worker, and the communicator between workers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from harness.errors import HarnessError
from harness.trace import NONE, TraceWriter

if TYPE_CHECKING:
    import numpy as np
    import torch

    from harness.components import Job

    Array = np.ndarray[Any, Any] | torch.Tensor

Operation = Literal["sum", "mean", "max", "min"]
A = TypeVar("A", bound="Array")


class PeerLost(HarnessError):
    """A peer died, hung or closed its link; the message names its rank and why."""


class Handle(Protocol):
    """A communication under way."""

    def wait(self) -> Any:
        """Block until it is over: the array for a receive, ``None`` for a send; ``PeerLost`` if it cannot be."""


class Communicator(ABC):
    """Messages and collectives between the workers of one launch, over NumPy arrays and torch tensors.

    Messages between two ranks with one tag arrive in order. What is received has the kind (array or
    tensor), dtype and shape of what was sent, without either side saying so beforehand. Payload
    bytes are counted as ``bytes_sent`` at the sender; headers are not. Every rank must call a
    collective, in the same order.
    """

    rank: int
    size: int

    @abstractmethod
    def isend(self, array: Array, to: int, *, tag: int = 0) -> Handle:
        """Start sending; ``array`` must not change until ``wait`` returns."""

    @abstractmethod
    def irecv(self, source: int, *, tag: int = 0) -> Handle:
        """Start receiving; ``wait`` returns the array."""

    def send(self, array: Array, to: int, *, tag: int = 0) -> None:
        """Send and wait until ``array`` may be changed again."""
        self.isend(array, to, tag=tag).wait()

    def receive(self, source: int, *, tag: int = 0) -> Any:
        """Wait for the next array from ``source``."""
        return self.irecv(source, tag=tag).wait()

    @abstractmethod
    def broadcast(self, array: A | None, root: int = 0) -> A:
        """Give every rank root's array; the others pass ``None``."""

    @abstractmethod
    def all_reduce(self, array: A, operation: Operation = "sum") -> A:
        """Combine equally shaped arrays elementwise; every rank gets the same result, bit for bit."""

    @abstractmethod
    def all_gather(self, array: A) -> list[A]:
        """Collect every rank's array, by rank; shapes may differ."""

    @abstractmethod
    def barrier(self) -> None:
        """Wait until every rank is here."""

    @abstractmethod
    def serve(self, handler: Callable[[int, list[Any]], Sequence[Array]]) -> None:
        """Answer requests from now on: ``handler(source, arrays)`` returns the arrays of the reply."""

    @abstractmethod
    def request(self, arrays: Sequence[Array], to: int) -> list[Any]:
        """Ask a serving rank and wait for the arrays of its reply."""

    @abstractmethod
    def group(self, ranks: Sequence[int]) -> Communicator:
        """A communicator among some ranks, renumbered from 0 in the order given; its members all call it."""


@dataclass
class Worker:
    """One rank of a launch: its place, its clock and trace, and its links to the others.

    Inside ``with worker.torch_group():`` torch.distributed's default process group is the workers of the
    launch; it is ``None`` where they share a process. Every rank enters it, and what the group sends goes
    over the device's links.
    """

    rank: int
    size: int
    job: Job[Any]
    comm: Communicator
    torch_device: str = "cpu"
    synchronise: Callable[[], None] = field(default=lambda: None, repr=False)
    torch_group: Callable[[], AbstractContextManager[None]] | None = field(default=None, repr=False)

    @property
    def trace(self) -> TraceWriter:
        """This rank's own shard of the trace."""
        return self.job.trace

    def clock(self) -> float:
        """Seconds on this worker's clock, its accelerator (if any) being done with what it was given."""
        self.synchronise()
        return self.trace.clock()

    def rng(self, *key: int) -> np.random.Generator:
        """A random stream of this rank; different keys give independent streams."""
        return self.job.rng(1, self.rank, *key)

    @contextmanager
    def work(
        self, name: str, cost: float | None = None, *, step: int = NONE, peer: int = NONE, value: float = float("nan")
    ) -> Iterator[bool]:
        """Record a span of work; a device with a virtual clock charges ``cost`` seconds instead of timing it.

        Yields whether the body has to be computed: only a simulation without numerics says no.
        """
        self.synchronise()
        with self.trace.span(name, step=step, peer=peer, value=value):
            yield True
            self.synchronise()

    @contextmanager
    def running(self) -> Iterator[None]:
        """The span ``run``, with the CPU seconds that this worker spent in it; devices wrap ``main`` in it."""
        before = self.trace.cpu_clock()
        self.trace.begin()
        with self.trace.span("run") as span:
            yield
            self.synchronise()
            span.value = self.trace.cpu_clock() - before
