"""What an interface itself has counted, headers and all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import HarnessError, TraceWriter

SENT = 8  # the column of transmitted bytes in /proc/net/dev


def sent_bytes(interface: str) -> int:
    """Bytes that have left through an interface of the calling thread's namespace."""
    for line in Path("/proc/thread-self/net/dev").read_text(encoding="ascii").splitlines():
        name, _, columns = line.partition(":")
        if name.strip() == interface:
            return int(columns.split()[SENT])
    raise HarnessError(f"there is no interface {interface} here")


@contextmanager
def counted(interface: str, trace: TraceWriter) -> Iterator[None]:
    """Count as ``link_bytes`` what leaves through an interface meanwhile."""
    before = sent_bytes(interface)
    yield
    trace.count("link_bytes", sent_bytes(interface) - before)
