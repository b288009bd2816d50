"""The communicator that every built-in device hands out: a wire, with bytes counted, requests and groups."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from hashlib import blake2b
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from harness.devices.collectives import Collectives
from harness.devices.payload import byte_count
from harness.devices.wire import Lane, Wire
from harness.errors import HarnessError
from harness.trace import TraceWriter
from harness.worker import Handle, PeerLost

if TYPE_CHECKING:
    from harness.worker import Array

REQUEST, REPLY = -2, -3


class ByteCount:
    """``bytes_sent`` of one rank; a trace has one writer, so other threads' bytes wait for its next count."""

    def __init__(self, trace: TraceWriter) -> None:
        self._trace = trace
        self._owner = threading.get_ident()
        self._lock = threading.Lock()
        self._waiting: Counter[int] = Counter()

    def add(self, peer: int, amount: int) -> None:
        """Count payload bytes sent to ``peer``."""
        if not amount:
            return
        if threading.get_ident() != self._owner:
            with self._lock:
                self._waiting[peer] += amount
            return
        if self._waiting:
            self.flush()
        self._trace.count("bytes_sent", amount, peer=peer)

    def flush(self) -> None:
        """Write down what other threads sent; for the owner alone."""
        with self._lock:
            waiting, self._waiting = self._waiting, Counter()
        for peer, amount in sorted(waiting.items()):
            self._trace.count("bytes_sent", amount, peer=peer)


class Service:
    """The threads that answer requests, one a peer; handlers run one at a time."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.error: BaseException | None = None

    def start(self, answer: Callable[[int, threading.Lock], None], sources: int) -> None:
        """Let a thread for each source answer again and again, until that source is gone."""
        for source in range(sources):
            thread = threading.Thread(target=self._answer, args=(answer, source), name=f"serve-{source}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def join(self) -> None:
        """Wait for the threads to end, which they do once the wire is closed."""
        for thread in self._threads:
            thread.join()

    def _answer(self, answer: Callable[[int, threading.Lock], None], source: int) -> None:
        try:
            while True:
                answer(source, self._lock)
        except PeerLost:
            return
        except BaseException as error:
            self.error = error
            self._wire.close(f"its request handler failed: {type(error).__name__}: {error}")


class MessageCommunicator(Collectives):
    """Messages over a wire, among all ranks of the launch or a group of them.

    A context manager: it parts from its peers at the end, telling them the error if there was one.
    Bytes are counted in ``trace`` under the launch's ranks; make it in the thread that owns the trace.
    """

    def __init__(self, wire: Wire, trace: TraceWriter) -> None:
        self._wire = wire
        self._bytes = ByteCount(trace)
        self._service = Service(wire)
        self._serving = False
        self._become(range(wire.size), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(f"{type(error).__name__}: {error}" if error else "")

    def close(self, reason: str = "") -> None:
        """Part from the peers; raise what a request handler had raised."""
        self._wire.close(reason)
        self._service.join()
        self._bytes.flush()
        if self._service.error:
            raise self._service.error

    def isend(self, array: Array, to: int, *, tag: int = 0) -> Handle:
        """Start sending; tags below zero are reserved for collectives and requests."""
        self._bytes.add(self._peer(to), byte_count(array))
        return self._isend(array, to, tag)

    def irecv(self, source: int, *, tag: int = 0) -> Handle:
        """Start receiving."""
        return self._wire.irecv(self._peer(source), Lane(self._channel, tag))

    def serve(self, handler: Callable[[int, list[Any]], Sequence[Array]]) -> None:
        """Answer requests in threads of their own; ``handler`` is called once at a time."""

        def answer(source: int, lock: threading.Lock) -> None:
            arrays = self._receive_several(source, REQUEST)
            with lock:
                reply = handler(source, arrays)
            self._send_several(reply, source, REPLY)

        if self._serving:
            raise HarnessError(f"worker {self.rank} serves already: one handler a communicator")
        self._serving = True
        self._service.start(answer, self.size)

    def request(self, arrays: Sequence[Array], to: int) -> list[Any]:
        """Ask a serving rank and wait for its reply."""
        self._send_several(arrays, to, REQUEST)
        return self._receive_several(to, REPLY)

    def group(self, ranks: Sequence[int]) -> MessageCommunicator:
        """Make a communicator among some ranks; bytes still count under the launch's ranks."""
        members = tuple(self._peer(rank) for rank in ranks)
        if self._wire.rank not in members or len(set(members)) < len(members):
            raise HarnessError(f"group {list(ranks)}: must name each member once, and worker {self.rank} among them")
        self._groups[members] += 1
        # All members work out the same number, whatever other groups each of them is in.
        text = repr((self._channel, members, self._groups[members])).encode()
        group = copy(self)
        group._become(members, int.from_bytes(blake2b(text, digest_size=7).digest()))
        return group

    def _become(self, ranks: Sequence[int], channel: int) -> None:
        self._ranks = ranks
        self._channel = channel
        self._groups: Counter[tuple[int, ...]] = Counter()
        self._serving = False
        self.rank = ranks.index(self._wire.rank)
        self.size = len(ranks)

    def _peer(self, rank: int) -> int:
        """Translate a member's rank into the launch's."""
        if not 0 <= rank < self.size:
            raise HarnessError(f"there is no worker {rank}: ranks go from 0 to {self.size - 1}")
        return self._ranks[rank]

    def _isend(self, array: Array, to: int, tag: int) -> Handle:
        return self._wire.isend(array, self._ranks[to], Lane(self._channel, tag))

    def _send_several(self, arrays: Sequence[Array], to: int, tag: int) -> None:
        """Send how many there are, uncounted as headers are, then each."""
        import numpy as np

        self._peer(to)
        sends = [self._isend(np.array(len(arrays)), to, tag)]
        sends += [self.isend(array, to, tag=tag) for array in arrays]
        for send in sends:
            send.wait()

    def _receive_several(self, source: int, tag: int) -> list[Any]:
        count = int(self.receive(source, tag=tag))
        return [self.receive(source, tag=tag) for _ in range(count)]
