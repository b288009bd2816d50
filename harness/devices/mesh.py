"""How processes find each other: every rank listens, calls those below it and is called by those above."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Sequence

from harness.devices.sockets import read
from harness.devices.wire import farewell
from harness.worker import PeerLost

Address = tuple[str, int]

HELLO = struct.Struct("!16sI")  # the mesh's key, the caller's rank
HELLO_SECONDS = 1.0
RETRY_SECONDS = 0.05
KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


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
        sock.settimeout(HELLO_SECONDS)
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
