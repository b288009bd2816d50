"""Moving arrays between the ranks of one launch: all that differs from link to link.

Collectives, groups, requests and the counting of bytes are built on a wire and know no other.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.worker import Handle, PeerLost

if TYPE_CHECKING:
    from harness.worker import Array

ENDED = "it has ended"
CLOSED = "this worker closed its links"


class Lane(NamedTuple):
    """Messages of one lane arrive in order: ``channel`` tells groups apart, ``tag`` purposes."""

    channel: int
    tag: int


class Wire(ABC):
    """Point-to-point messages by rank of the launch. Neither call blocks, whatever the other side does."""

    rank: int
    size: int

    @abstractmethod
    def isend(self, array: Array, to: int, lane: Lane) -> Handle:
        """Start sending; ``array`` must not change until ``wait`` returns."""

    @abstractmethod
    def irecv(self, source: int, lane: Lane) -> Handle:
        """Start receiving; ``wait`` returns an array of its own."""

    @abstractmethod
    def close(self, reason: str = "") -> None:
        """Let everything sent arrive, then part; a ``reason`` says what went wrong and parts at once."""

    @abstractmethod
    def lost(self) -> dict[int, str]:
        """Tell which peers are gone, and why."""


class Pending:
    """A communication that another thread finishes."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._array: Any = None
        self._error = ""

    def finish(self, array: Any = None) -> Pending:
        """End it well."""
        self._array = array
        self._over.set()
        return self

    def fail(self, error: str) -> Pending:
        """End it with ``PeerLost``."""
        self._error = error
        self._over.set()
        return self

    def wait(self) -> Any:
        """Block until it is over."""
        self._over.wait()
        if self._error:
            raise PeerLost(self._error)
        return self._array


class Mailbox:
    """What came in for one rank and was not asked for yet, and what was asked for and has not come."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arrived: dict[tuple[int, Lane], deque[Any]] = defaultdict(deque)
        self._expected: dict[tuple[int, Lane], deque[Pending]] = defaultdict(deque)
        self._lost: dict[int, str] = {}

    def deliver(self, source: int, lane: Lane, array: Any) -> None:
        """Hand an array to whoever has waited longest, or keep it."""
        with self._lock:
            expected = self._expected[source, lane]
            if expected:
                expected.popleft().finish(array)
            else:
                self._arrived[source, lane].append(array)

    def expect(self, source: int, lane: Lane) -> Pending:
        """Ask for the next array; what had arrived before its sender was lost is still given out."""
        pending = Pending()
        with self._lock:
            arrived = self._arrived[source, lane]
            if arrived:
                return pending.finish(arrived.popleft())
            if source in self._lost:
                return pending.fail(farewell(source, self._lost[source]))
            self._expected[source, lane].append(pending)
        return pending

    def lose(self, source: int, reason: str) -> None:
        """Fail everything still expected from ``source``, now and later; the first reason stands."""
        with self._lock:
            reason = self._lost.setdefault(source, reason)
            for (sender, _), expected in self._expected.items():
                while sender == source and expected:
                    expected.popleft().fail(farewell(source, reason))

    def lost(self) -> dict[int, str]:
        """Tell which sources were lost, and why."""
        with self._lock:
            return dict(self._lost)


def farewell(rank: int, reason: str) -> str:
    """Word a ``PeerLost``."""
    return f"worker {rank} is lost: {reason}"
