"""Rings of messages that are but sizes, without a thread being woken at each step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from harness.devices import Lane
from harness_links.actors import Awaited
from harness_links.simulated_wire import Network


class Seat(NamedTuple):
    """One rank's place in a ring."""

    left: int
    rank: int
    right: int


class Relay:
    """One rank's part: send to the right, receive from the left, and again, until nothing is left to send.

    ``following`` is given what came in, and names what goes out next; ``None`` ends the relay.
    """

    def __init__(self, network: Network, seat: Seat, lane: Lane, following: Callable[[Any], Any]) -> None:
        self.sent_bytes = 0
        self._network = network
        self.seat = seat
        self._lane = lane
        self._following = following
        self.over = Awaited(network.machine, seat.left, f"worker {seat.left} in a ring")
        self._outgoing: Any = None
        self._received: Any = None
        self._missing = 0
        self._latest = 0.0

    def begin(self, first: Any, now: float) -> Awaited:
        """Begin with ``first``; the end is what can be waited for."""
        self._outgoing = first
        self._network.machine.schedule(now, self.seat.rank, self._step)
        return self.over

    def _step(self, now: float) -> None:
        left, rank, right = self.seat
        self._missing, self._latest = 2, now
        transfer = self._network.transfer(rank, right, self._lane, self._outgoing)
        self.sent_bytes += transfer.size
        transfer(now)
        transfer.sent.then(self._sent)
        self._network.mailboxes[rank].expect(left, self._lane).then(self._arrived)

    def _arrived(self, now: float, array: Any) -> None:
        self._received = array
        self._sent(now, None)

    def _sent(self, now: float, _: Any) -> None:
        self._latest = max(self._latest, now)
        self._missing -= 1
        if self._missing:
            return
        self._outgoing = self._following(self._received)
        if self._outgoing is None:
            self.over.finish(self._latest)
        else:
            self._network.machine.schedule(self._latest, self.seat.rank, self._step)
