"""The communicator of a simulated worker: collectives by size alone, and requests answered in virtual time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from types import TracebackType
from typing import Any, cast

from harness import TraceWriter
from harness.devices import Lane, MessageCommunicator, Service, chunk_bounds
from harness_links.actors import Awaited
from harness_links.machine import Machine
from harness_links.relay import Relay, Seat
from harness_links.simulated_wire import SimulatedWire, is_hollow

_bounds = lru_cache(16)(chunk_bounds)  # the same for all ranks
RING = -4  # a tag of its own, below those of messages that carry data


class SimulatedCommunicator(MessageCommunicator):
    """The messages of every device; without numerics, hollow arrays are reduced and gathered by size alone.

    These rings take the time of the real ones and send the same bytes, counted once at the end.
    """

    def __init__(self, wire: SimulatedWire, trace: TraceWriter, *, numerics: bool) -> None:
        super().__init__(wire, trace)
        self._network = wire.network
        self._numerics = numerics
        self._service = VirtualService(wire)

    def all_reduce(self, array: Any, operation: Any = "sum") -> Any:
        """Combine arrays round a ring; hollow ones come back as they are."""
        if self._numerics or self.size == 1 or not is_hollow(array):
            return super().all_reduce(array, operation)
        outgoing = self._outgoing(array.reshape(-1))
        self._ring(next(outgoing), partial(_next, outgoing))
        return array

    def all_gather(self, array: Any) -> list[Any]:
        """Collect every rank's array, round a ring."""
        if self._numerics or self.size == 1 or not is_hollow(array):
            return super().all_gather(array)
        gathered = [array]

        def hand_on(received: Any) -> Any:
            gathered.append(received)
            return received if len(gathered) < self.size else None

        self._ring(array, hand_on)
        return [gathered[(self.rank - rank) % self.size] for rank in range(self.size)]

    def all_reduce_beside(self, parts: Sequence[tuple[Any, float]]) -> Callable[[], None]:
        """Sum hollow arrays, one after another, beside this worker's work; what is returned waits for the last sum.

        Each comes with how many seconds ago, within the work just done, it was ready. Threads that communicate
        while their worker computes take such times; here they are known beforehand, and no thread is needed.
        """
        if self.size == 1 or not parts:
            return lambda: None
        now = self._network.machine.clock()
        outgoing = [self._outgoing(array.reshape(-1)) for array, _ in parts]
        relays = [self._relay(partial(_next, chunks)) for chunks in outgoing]
        last: Awaited | None = None
        for relay, chunks, (_, ago) in zip(relays, outgoing, parts, strict=True):
            begin = partial(relay.begin, next(chunks))
            if last is None:
                begin(now - ago)
            else:
                last.then(partial(_not_before, now - ago, begin))
            last = relay.over

        def wait() -> None:
            assert last is not None
            last.wait()
            self._bytes.add(relays[0].seat.right, sum(relay.sent_bytes for relay in relays))

        return wait

    def _outgoing(self, flat: Any) -> Iterator[Any]:
        """The chunks that this rank sends, in order: first to add them up, then to hand on the sums."""
        bounds = _bounds(len(flat), self.size)
        for first in (self.rank, self.rank + 1):
            for step in range(self.size - 1):
                yield flat[slice(*bounds[(first - step) % self.size])]

    def _ring(self, first: Any, following: Callable[[Any], Any]) -> None:
        relay = self._relay(following)
        relay.begin(first, self._network.machine.clock()).wait()
        self._bytes.add(relay.seat.right, relay.sent_bytes)

    def _relay(self, following: Callable[[Any], Any]) -> Relay:
        left, right = ((self.rank + step) % self.size for step in (-1, 1))
        seat = Seat(self._peer(left), self._peer(self.rank), self._peer(right))
        return Relay(self._network, seat, Lane(self._channel, RING), following)


def _next(chunks: Iterator[Any], _: Any) -> Any:
    return next(chunks, None)


def _not_before(ready: float, begin: Callable[[float], Awaited], now: float, _: Any) -> None:
    begin(max(ready, now))


class VirtualService(Service):
    """Actors, one a peer, in place of threads; a handler begins when the one before it is done."""

    def __init__(self, wire: SimulatedWire) -> None:
        super().__init__(wire)
        self._rank = wire.rank
        self._machine = wire.network.machine
        self._lock = cast("threading.Lock", VirtualLock(self._machine, wire.rank))

    def start(self, answer: Callable[[int, threading.Lock], None], sources: int) -> None:
        """Let an actor for each source answer again and again, until that source is gone."""
        for source in range(sources):
            self._machine.add(self._rank, partial(self._answer, answer, source))

    def join(self) -> None:
        """Nothing to wait for: the machine runs until all actors have left."""


class VirtualLock:
    """A lock that actors hold for virtual time, in the order in which they came."""

    def __init__(self, machine: Machine, rank: int) -> None:
        self._machine = machine
        self._rank = rank
        self._free = 0.0
        self._held = False
        self._queue: deque[Awaited] = deque()

    def __enter__(self) -> None:
        actor = self._machine.current
        if self._held:
            self._queue.append(Awaited(self._machine, self._rank, "a request handler"))
            self._queue[-1].wait()
        self._held = True
        actor.now = max(actor.now, self._free)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._held = False
        self._free = self._machine.current.clock()
        if self._queue:
            self._held = True
            self._queue.popleft().finish(self._free)
