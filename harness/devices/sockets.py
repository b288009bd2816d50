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
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.devices.payload import blank, is_accelerated, own_copy, pack
from harness.devices.wire import ENDED, Lane, Mailbox, Pending, Wire, farewell
from harness.worker import PeerLost

if TYPE_CHECKING:
    from harness.worker import Array

Address = tuple[str, int]

HEADER = struct.Struct("!BqqHQ")  # kind, channel, tag, bytes of description, bytes of payload
HELLO = struct.Struct("!16sI")  # the mesh's key, the caller's rank
ARRAY, GOODBYE = 0, 1
PARTING_SECONDS = 1.0
RETRY_SECONDS = 0.05
KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


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
            link.part(HEADER.pack(GOODBYE, 0, 0, len(text), 0) + text)
        self._mailbox.lose(self.rank, "this worker closed its links")
        for link in self._links.values():
            link.join(PARTING_SECONDS if reason else None)

    def lost(self) -> dict[int, str]:
        """Tell which peers said goodbye or broke off."""
        return self._mailbox.lost()


class _Link:
    """The connection to one peer, its sender and its receiver."""

    def __init__(self, peer: int, sock: socket.socket, mailbox: Mailbox, torch_device: str) -> None:
        self.peer = peer
        self._socket = sock
        self._mailbox = mailbox
        self._torch_device = torch_device
        self._outgoing: queue.SimpleQueue[tuple[bytes, memoryview, Pending] | None] = queue.SimpleQueue()
        self._receiver = _thread(self._receive_all, f"receive-{peer}")
        self._sender = _thread(self._send_all, f"send-{peer}")

    def send(self, head: bytes, payload: memoryview) -> Pending:
        """Queue a frame."""
        pending = Pending()
        self._outgoing.put((head, payload, pending))
        return pending

    def part(self, goodbye: bytes) -> None:
        """Queue the last frame."""
        self.send(goodbye, memoryview(b""))
        self._outgoing.put(None)

    def join(self, seconds: float | None) -> None:
        """Wait until both directions have ended, at most ``seconds`` each; then close."""
        self._sender.join(seconds)
        # Closing before the peer has would make the system drop what is still on its way to it.
        self._receiver.join(seconds)
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


def listen(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Open a socket that peers can call; ``getsockname`` tells its port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def connect(
    rank: int,
    addresses: Sequence[Address],
    listener: socket.socket,
    *,
    key: bytes = b"",
    patience: float = 60.0,
) -> dict[int, socket.socket]:
    """Join a mesh: call every lower rank at its address, be called by every higher one.

    All ranks pass the same ``key`` (at most 16 bytes); callers without it are turned away. Raises
    ``PeerLost`` naming a rank that was not there within ``patience`` seconds.
    """
    deadline = time.monotonic() + patience
    key = key.ljust(16, b"\0")
    links = {peer: _call(peer, addresses[peer], HELLO.pack(key, rank), deadline) for peer in range(rank)}
    missing = set(range(rank + 1, len(addresses)))
    while missing:
        caller = _answer(listener, key, deadline)
        if caller is None and time.monotonic() > deadline:
            raise PeerLost(farewell(min(missing), f"it did not connect within {patience:g} s"))
        if caller and caller[0] in missing:
            links[caller[0]] = caller[1]
            missing.discard(caller[0])
    for link in links.values():
        _tune(link)
    return links


def _call(peer: int, address: Address, hello: bytes, deadline: float) -> socket.socket:
    while True:
        try:
            sock = socket.create_connection(address, timeout=max(RETRY_SECONDS, deadline - time.monotonic()))
        except OSError as error:
            if time.monotonic() > deadline:
                raise PeerLost(farewell(peer, f"no connection to {address[0]}:{address[1]}: {error}")) from None
            time.sleep(RETRY_SECONDS)
        else:
            sock.sendall(hello)
            return sock


def _answer(listener: socket.socket, key: bytes, deadline: float) -> tuple[int, socket.socket] | None:
    """Take the next caller that knows the key; ``None`` for any other."""
    listener.settimeout(max(RETRY_SECONDS, deadline - time.monotonic()))
    with contextlib.suppress(OSError, EOFError):
        sock, _ = listener.accept()
        sock.settimeout(PARTING_SECONDS)
        with contextlib.suppress(OSError, EOFError):
            its_key, rank = HELLO.unpack(read(sock, HELLO.size))
            if its_key == key:
                return rank, sock
        sock.close()
    return None


def _tune(sock: socket.socket) -> None:
    """Send small frames at once; notice within half a minute that a host has gone."""
    sock.settimeout(None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE.items():
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


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
