"""The wire between processes, on one machine or several: a TCP connection for each pair of ranks.

A frame is a header (kind, lane, lengths), a description of the array and its bytes. Each link has a
thread that sends and one that receives, so that messages move while their owners compute, and
nobody's sending ever waits for another's receiving.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from harness.devices.payload import blank, is_accelerated, own_copy, pack
from harness.devices.wire import CLOSED, ENDED, Lane, Mailbox, Pending, Wire, farewell

if TYPE_CHECKING:
    from harness.worker import Array

HEADER = struct.Struct("!BqqHQ")  # kind, channel, tag, bytes of description, bytes of payload
ARRAY, GOODBYE = 0, 1
PARTING_SECONDS = 1.0


class SocketWire(Wire):
    """One rank's end of a mesh; ``links`` has a connected socket for every other rank.

    Tensors that lay on the sender's accelerator arrive on ``torch_device``.
    """

    def __init__(self, rank: int, links: Mapping[int, socket.socket], *, torch_device: str = "cpu") -> None:
        self.rank = rank
        self.size = len(links) + 1
        self._mailbox = Mailbox()
        self._links = {peer: _Link(peer, sock, self._mailbox, torch_device) for peer, sock in links.items()}

    def isend(self, array: Array, to: int, lane: Lane) -> Pending:
        """Queue for the link's sender."""
        if to == self.rank:
            self._mailbox.deliver(self.rank, lane, own_copy(array))
            return Pending().finish()
        description, payload = pack(array)
        header = HEADER.pack(ARRAY, *lane, len(description), len(payload))
        return self._links[to].send(header + description, payload)

    def irecv(self, source: int, lane: Lane) -> Pending:
        """Take what the link's receiver put, or will put, into the mailbox."""
        return self._mailbox.expect(source, lane)

    def close(self, reason: str = "") -> None:
        """Say goodbye on every link; without a reason, also wait until every peer has."""
        text = (reason or ENDED).encode(errors="replace")[:65535]
        for link in self._links.values():
            link.send(HEADER.pack(GOODBYE, 0, 0, len(text), 0) + text, memoryview(b""), last=True)
        if reason:
            self._lose_all(reason)
        deadline = time.monotonic() + PARTING_SECONDS if reason else None
        for link in self._links.values():
            link.join(deadline)
        self._lose_all(CLOSED)

    def lost(self) -> dict[int, str]:
        """Tell which peers said goodbye or broke off."""
        return self._mailbox.lost()

    def _lose_all(self, reason: str) -> None:
        for rank in range(self.size):
            self._mailbox.lose(rank, reason)


class _Link:
    """The connection to one peer, its sender and its receiver."""

    def __init__(self, peer: int, sock: socket.socket, mailbox: Mailbox, torch_device: str) -> None:
        self.peer = peer
        self._socket = sock
        self._mailbox = mailbox
        self._torch_device = torch_device
        self._lock = threading.Lock()
        self._parted = False
        self._outgoing: queue.SimpleQueue[tuple[bytes, memoryview, Pending] | None] = queue.SimpleQueue()
        self._receiver = _thread(self._receive_all, f"receive-{peer}")
        self._sender = _thread(self._send_all, f"send-{peer}")

    def send(self, head: bytes, payload: memoryview, *, last: bool = False) -> Pending:
        """Queue a frame; none goes after the last."""
        pending = Pending()
        with self._lock:
            if self._parted:
                return pending.fail(farewell(self.peer, CLOSED))
            self._outgoing.put((head, payload, pending))
            if last:
                self._parted = True
                self._outgoing.put(None)
        return pending

    def join(self, deadline: float | None) -> None:
        """Wait until both directions have ended, or the deadline; then close."""
        # Closing before the peer has would make the system drop what is still on its way to it.
        for thread in (self._sender, self._receiver):
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _send_all(self) -> None:
        broken = ""
        while (frame := self._outgoing.get()) is not None:
            head, payload, pending = frame
            if not broken:
                try:
                    self._socket.sendall(head)
                    self._socket.sendall(payload)
                except OSError as error:
                    broken = self._why(error)
            if broken:
                pending.fail(farewell(self.peer, broken))
            else:
                pending.finish()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def _why(self, error: OSError) -> str:
        """Find the peer's own last words, if the receiver gets to read any; else the system's."""
        self._receiver.join(PARTING_SECONDS)
        self._mailbox.lose(self.peer, f"its link broke: {error}")
        return self._mailbox.lost()[self.peer]

    def _receive_all(self) -> None:
        try:
            while True:
                self._receive_one()
        except EOFError:
            self._mailbox.lose(self.peer, "its link closed without a word; it may have died")
        except Exception as error:
            self._mailbox.lose(self.peer, f"its link broke: {error}")

    def _receive_one(self) -> None:
        kind, channel, tag, about, _ = HEADER.unpack(read(self._socket, HEADER.size))
        description = bytes(read(self._socket, about))
        if kind == GOODBYE:
            self._mailbox.lose(self.peer, description.decode())
            return
        array, view = blank(description)
        fill(self._socket, view)
        if is_accelerated(description):
            array = array.to(self._torch_device)
        self._mailbox.deliver(self.peer, Lane(channel, tag), array)


def read(sock: socket.socket, count: int) -> bytearray:
    """So many bytes; ``EOFError`` if the other end closed before."""
    data = bytearray(count)
    fill(sock, memoryview(data))
    return data


def fill(sock: socket.socket, view: memoryview) -> None:
    """Fill a buffer from a socket."""
    while view:
        received = sock.recv_into(view)
        if not received:
            raise EOFError
        view = view[received:]


def _thread(target: Callable[[], Any], name: str) -> threading.Thread:
    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread
