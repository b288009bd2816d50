"""The links of a simulated machine, and the wire that moves messages over them.

A message crosses the links between two ranks one after the other. Each link takes messages in the order
in which they come to it (FIFO) and each for its bytes over the link's bandwidth; the next link is
entered as soon as the first bit is through (cut-through), and switches buffer without limit. The
message arrives once its last bit is through the slowest, and the latency has passed. So a lone
message takes latency + bytes / bandwidth, two at once over one link 1 and 2 times bytes / bandwidth.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.devices import Lane, Wire, byte_count, farewell, own_copy
from harness_links.actors import Awaited
from harness_links.machine import Machine
from harness_links.topology import Topology

CLOSED = "this worker closed its links"


class Link:
    """One direction of one link."""

    __slots__ = ("bytes_per_second", "free")

    def __init__(self, bytes_per_second: float) -> None:
        self.bytes_per_second = bytes_per_second
        self.free = 0.0

    def take(self, now: float, size: int) -> float:
        """Take a message in once all before it are through; return that time."""
        start = max(now, self.free)
        self.free = start + size / self.bytes_per_second
        return start


class Mailbox:
    """What came in for one rank and was not asked for yet, and what was asked for and has not come."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._arrived: dict[tuple[int, Lane], deque[tuple[float, Any]]] = defaultdict(deque)
        self._expected: dict[tuple[int, Lane], deque[Awaited]] = defaultdict(deque)

    def deliver(self, now: float, source: int, lane: Lane, array: Any) -> None:
        """Hand an array to whoever asked first, or keep it."""
        expected = self._expected[source, lane]
        if expected:
            expected.popleft().finish(now, array)
        else:
            self._arrived[source, lane].append((now, array))

    def expect(self, source: int, lane: Lane) -> Awaited:
        """Ask for the next array."""
        purpose = f"tag {lane.tag}" if lane.tag >= 0 else "a collective or request"
        awaited = Awaited(self._machine, source, f"worker {source} ({purpose})")
        arrived = self._arrived[source, lane]
        if arrived:
            awaited.finish(*arrived.popleft())
        else:
            self._expected[source, lane].append(awaited)
        return awaited

    def close(self, reason: str) -> None:
        """Fail everything that is still expected."""
        for (source, _), expected in self._expected.items():
            while expected:
                expected.popleft().fail(farewell(source, reason))


@dataclass(slots=True, eq=False)
class Transfer:
    """A message on its way; called, as an event, when it comes to its next link.

    ``sent`` happens when it is through the first link, its sender's own.
    """

    network: Network
    source: int
    to: int
    lane: Lane
    array: Any
    links: Sequence[Link]
    latency: float
    size: int
    sent: Awaited
    crossed: int = 0
    through: float = 0.0

    def __call__(self, now: float) -> None:
        """Enter the next link; what is in the last one is as good as there, at a time that is then known."""
        link = self.links[self.crossed]
        start = link.take(now, self.size)
        self.through = max(self.through, link.free)
        if not self.crossed:
            self.sent.finish(link.free)
        self.crossed += 1
        if self.crossed < len(self.links):
            self.network.machine.schedule(start, self.source, self)
        else:
            self.network.mailboxes[self.to].deliver(self.through + self.latency, self.source, self.lane, self.array)


class Network:
    """Every link of a topology, each direction by itself, and the mailboxes at their ends."""

    def __init__(self, machine: Machine, topology: Topology, size: int, *, by_size: bool) -> None:
        self.machine = machine
        self.size = size
        self.mailboxes = [Mailbox(machine) for _ in range(size)]
        self._topology = topology
        self._by_size = by_size
        self._ways: dict[tuple[int, int], tuple[list[Link], float]] = {}
        self._up = self._links(size)
        self._down = self._links(size)

    def send(self, source: int, to: int, lane: Lane, array: Any) -> Awaited:
        """Put a message onto its way; what is returned happens when it has left its sender."""
        machine = self.machine
        payload = array if self._by_size and is_hollow(array) else own_copy(array)
        now = machine.clock()
        if source == to:
            self.mailboxes[to].deliver(now, source, lane, payload)
            sent = Awaited(machine, source, "itself")
            sent.finish(now)
            return sent
        transfer = self.transfer(source, to, lane, payload)
        machine.schedule(now, source, transfer)
        return transfer.sent

    def transfer(self, source: int, to: int, lane: Lane, payload: Any) -> Transfer:
        """A message between two ranks, ready to go; ``payload`` will be the receiver's."""
        links, latency = self._way(source, to)
        sent = Awaited(self.machine, source, "its own link")
        return Transfer(self, source, to, lane, payload, links, latency, byte_count(payload), sent)

    def _links(self, size: int) -> list[list[Link]]:
        """By level and component."""
        levels = enumerate(self._topology.levels)
        return [
            [Link(level.bandwidth) for _ in range(self._topology.component(size - 1, k) + 1)] for k, level in levels
        ]

    def _way(self, source: int, to: int) -> tuple[list[Link], float]:
        """The links up from one rank to where they meet, those down to the other, and the latency."""
        if (source, to) not in self._ways:
            self._ways[source, to] = self._find_way(source, to)
        return self._ways[source, to]

    def _find_way(self, source: int, to: int) -> tuple[list[Link], float]:
        route = self._topology.route(source, to)
        component = self._topology.component
        up = [self._up[k][component(source, k)] for k in range(route.level + 1)]
        down = [self._down[k][component(to, k)] for k in range(route.level, -1, -1)]
        return up + down, route.latency


class SimulatedWire(Wire):
    """One worker's end."""

    def __init__(self, rank: int, size: int, network: Network) -> None:
        self.rank = rank
        self.size = size
        self.network = network
        self._machine = network.machine
        self._closed = False

    def isend(self, array: Any, to: int, lane: Lane) -> Awaited:
        """Send; over, for ``wait``, once it has left this worker's own link."""
        if self._machine.stopped:
            return Awaited(self._machine, to, "").fail(self._machine.stopped)
        return self.network.send(self.rank, to, lane, array)

    def irecv(self, source: int, lane: Lane) -> Awaited:
        """Ask for the next message; ``wait`` goes on at its arrival, or now if that is over."""
        if self._machine.stopped:
            return Awaited(self._machine, source, "").fail(self._machine.stopped)
        return self.network.mailboxes[self.rank].expect(source, lane)

    def close(self, reason: str = "") -> None:
        """Part: what was sent still arrives; a ``reason`` stops the whole machine."""
        if not self._closed:
            self._closed = True
            self._machine.end(self.rank, reason)
            self.network.mailboxes[self.rank].close(reason or CLOSED)

    def lost(self) -> dict[int, str]:
        """Tell which workers have ended, and why."""
        return dict(self._machine.ended)


def is_hollow(array: Any) -> bool:
    """Whether all elements of an array or tensor share one place in memory, so that it is but a shape and a dtype."""
    strides = array.stride() if callable(getattr(array, "stride", None)) else getattr(array, "strides", ())
    return len(strides) > 0 and not any(strides)
