"""Discrete-event simulation with threads that hand on a baton.

An actor is a thread with a virtual clock. It runs alone, from where it was resumed to where it waits
for something, and may run ahead of the others: what it does to them (send a message, say) goes onto
the agenda under its virtual time. When it waits, the agenda's events happen in order of time, ties by
rank and then by age, until one of them resumes an actor. So nothing depends on the real clock or on
the operating system's scheduling, and what an event sees has happened before it, in virtual time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count

from harness import HarnessError
from harness.devices import farewell
from harness_links.actors import Actor

ENDED = "it has ended"


class Machine:
    """The agenda, the baton, and what happens when nothing is left to happen."""

    def __init__(self, *, speed: float = 1.0) -> None:
        self.speed = speed
        self.baton: Actor | None = None
        self.ended: dict[int, str] = {}
        self.stopped = ""
        self.deadlock = ""
        self._actors: list[Actor] = []
        self._agenda: list[tuple[float, int, int, Callable[[float], Actor | None]]] = []
        self._ages = count()
        self._over = threading.Semaphore(0)

    def schedule(self, now: float, rank: int, event: Callable[[float], Actor | None]) -> None:
        """Put an event onto the agenda; called with its time, it may name an actor to resume."""
        heappush(self._agenda, (now, rank, next(self._ages), event))

    def add(self, rank: int, body: Callable[[], None]) -> None:
        """Add an actor, which begins now."""
        now = self.clock() if self.baton else 0.0
        actor = Actor(self, rank, body, speed=self.speed, now=now)
        self._actors.append(actor)
        self.schedule(now, rank, actor)

    @property
    def current(self) -> Actor:
        """The actor who holds the baton; another thread may not act in its place."""
        if self.baton is None or not self.baton.is_here():
            raise HarnessError("a simulated worker has one thread: use isend and irecv in place of threads that wait")
        return self.baton

    def clock(self) -> float:
        """Virtual seconds of the actor who holds the baton."""
        return self.current.clock()

    def run(self) -> None:
        """Let everything happen."""
        first = self._next()
        if first is not None:
            first.take_turn()
            self._over.acquire()

    def give_way(self, actor: Actor) -> None:
        """Let others go on until the one who holds the baton is resumed."""
        chosen = self._next()
        if chosen is not actor:
            assert chosen is not None
            chosen.take_turn()
            actor.await_turn()

    def leave(self, actor: Actor) -> None:
        """Hand on the baton for the last time."""
        self._actors.remove(actor)
        chosen = self._next()
        if chosen is None:
            self._over.release()
        else:
            chosen.take_turn()

    def end(self, rank: int, reason: str = "") -> None:
        """Note that a worker has ended; a ``reason`` says what went wrong, and stops everyone."""
        self.ended.setdefault(rank, reason or ENDED)
        if reason:
            self.stop(farewell(rank, reason))

    def stop(self, reason: str) -> None:
        """End the simulation: whoever waits, or will, is told why."""
        self.stopped = self.stopped or reason
        for actor in self._waiting():
            if actor.waits_for is not None:
                actor.waits_for.fail(self.stopped)

    def _next(self) -> Actor | None:
        """Let events happen until one resumes an actor; ``None`` when all have left."""
        while self._agenda or self._unblock():
            now, _, _, event = heappop(self._agenda)
            actor = event(now)
            if actor is not None:
                return actor
        return None

    def _unblock(self) -> bool:
        """When nothing more can happen, tell those who wait for workers that have ended; else it is a deadlock."""
        waiting = self._waiting()
        for actor in waiting:
            awaited = actor.waits_for
            if awaited is not None and awaited.source in self.ended:
                awaited.fail(farewell(awaited.source, self.ended[awaited.source]))
                return True
        if waiting:
            self.deadlock = explain_deadlock(waiting)
            self.stop(self.deadlock)
        return bool(waiting)

    def _waiting(self) -> list[Actor]:
        return sorted((actor for actor in self._actors if actor.waits_for), key=lambda actor: actor.rank)


def explain_deadlock(waiting: Sequence[Actor]) -> str:
    """Say who waits for whom: the circle, and how many others wait for one in it."""
    waits = {actor.rank: actor.waits_for for actor in reversed(waiting) if actor.waits_for}
    circle: list[int] = []
    rank = min(waits)
    while rank not in circle and rank in waits:
        circle.append(rank)
        rank = waits[rank].source
    circle = circle[circle.index(rank) :] if rank in circle else circle
    text = ", ".join(f"worker {r} waits for {waits[r].what}" for r in circle)
    others = len(waits) - len(circle)
    more = f"; {others} more wait{'s' if others == 1 else ''}" if others else ""
    return f"deadlock at {max(actor.now for actor in waiting):.6g} s: {text}{more}"
