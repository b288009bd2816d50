"""Threads with virtual clocks, and what they wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

from harness import PeerLost

if TYPE_CHECKING:
    from harness_links.machine import Machine


class Actor:
    """One thread and its virtual clock; ``rank`` is the worker's whose work it does."""

    def __init__(self, machine: Machine, rank: int, body: Callable[[], None], *, speed: float, now: float) -> None:
        self.rank = rank
        self.now = now
        self.busy = 0.0
        self.waits_for: Awaited | None = None
        self._machine = machine
        self._body = body
        self._speed = speed
        self._metered_from: float | None = None
        self._turn = threading.Lock()
        self._turn.acquire()
        self._thread = threading.Thread(target=self._live, name=f"simulated-{rank}", daemon=True)

    def __call__(self, now: float) -> Actor:
        """Be resumed, as an event."""
        self.now = max(self.now, now)
        self.waits_for = None
        return self

    def clock(self) -> float:
        """Virtual seconds, with what is being measured up to here."""
        self.settle()
        return self.now

    def busy_clock(self) -> float:
        """Virtual seconds of work."""
        self.settle()
        return self.busy

    def charge(self, seconds: float) -> None:
        """Let work take so long."""
        self.now += seconds
        self.busy += seconds

    @contextmanager
    def metered(self, on: bool) -> Iterator[None]:
        """Charge the real time that a block takes, or (inside such a block) do not."""
        self.settle()
        outer = self._metered_from
        self._metered_from = perf_counter() if on else None
        try:
            yield
        finally:
            self.settle()
            self._metered_from = None if outer is None else perf_counter()

    def settle(self) -> None:
        """Charge the real time since the last settlement, if it is measured."""
        if self._metered_from is not None:
            now = perf_counter()
            self.charge((now - self._metered_from) / self._speed)
            self._metered_from = now

    def is_here(self) -> bool:
        """Whether the calling thread is this actor's."""
        return threading.get_ident() == self._thread.ident

    def take_turn(self) -> None:
        """Go on where this actor waits; for who holds the baton and will wait or end."""
        if not self._thread.ident:
            self._thread.start()
        self._turn.release()

    def await_turn(self) -> None:
        """Rest until somebody hands on the baton."""
        self._turn.acquire()
        self._machine.baton = self
        if self._metered_from is not None:
            self._metered_from = perf_counter()

    def _live(self) -> None:
        self.await_turn()
        self._body()
        self._machine.leave(self)


class Awaited:
    """Something that happens at a virtual time: the arrival of a message, or a send being over."""

    __slots__ = ("_array", "_error", "_machine", "_then", "_time", "_waiting", "source", "what")

    def __init__(self, machine: Machine, source: int, what: str) -> None:
        self.source = source
        self.what = what
        self._machine = machine
        self._time: float | None = None
        self._array: Any = None
        self._error = ""
        self._waiting: Actor | None = None
        self._then: Callable[[float, Any], None] | None = None

    def finish(self, now: float, array: Any = None) -> None:
        """Have it happen."""
        self._time = now
        self._array = array
        if self._then is not None:
            self._then(now, array)
        self._resume(now)

    def fail(self, error: str) -> Awaited:
        """Have it never happen."""
        self._error = error
        self._resume(0.0)
        return self

    def then(self, follow: Callable[[float, Any], None]) -> None:
        """Have something follow, once the time when it happens is known."""
        if self._time is not None:
            follow(self._time, self._array)
        self._then = follow

    def wait(self) -> Any:
        """Let the virtual time come when it happens: the array for a receive; ``PeerLost`` if it cannot."""
        actor = self._machine.current
        actor.settle()
        if self._time is None and not self._error:
            self._waiting = actor
            actor.waits_for = self
            self._machine.give_way(actor)
        if self._error:
            raise PeerLost(self._error)
        assert self._time is not None
        actor.now = max(actor.now, self._time)
        return self._array

    def _resume(self, now: float) -> None:
        if self._waiting is not None:
            actor, self._waiting = self._waiting, None
            self._machine.schedule(max(now, actor.now), actor.rank, actor)
