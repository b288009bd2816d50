"""Network namespaces that live no longer than the process that made them.

A namespace here has no name under ``/run/netns``: this process holds it open, the workers enter it,
and the kernel removes it, with every interface in it, when the last of them is gone. Thus nothing has
to be cleaned up, not even after a ``kill -9``.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from harness import HarnessError

CLONE_NEWNET = 0x40000000
OWN = "/proc/thread-self/ns/net"
ORPHAN_RETRIES = Path("/proc/sys/net/ipv4/tcp_orphan_retries")


class Namespace:
    """A network namespace, held open by this process; ``path`` is valid in every process while it is."""

    def __init__(self) -> None:
        with _returning():
            _call("unshare", CLONE_NEWNET)
            self._handle = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
            _forget_the_dead()
        self.path = f"/proc/{os.getpid()}/fd/{self._handle}"

    def close(self) -> None:
        """Let go of it."""
        os.close(self._handle)

    def run(self, tool: str, lines: Sequence[str]) -> None:
        """Have ``ip`` or ``tc`` carry out some commands inside."""
        with _returning():
            enter(self.path)
            done = subprocess.run(
                [tool, "-batch", "-"], input="\n".join(lines), capture_output=True, text=True, check=False
            )
        if done.returncode:
            raise HarnessError(f"{tool} failed: {' '.join((done.stderr or done.stdout).split())}")


def enter(path: str) -> None:
    """Move the calling thread, and the threads and processes it will start, into a namespace."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("setns", handle, CLONE_NEWNET)
    finally:
        os.close(handle)


def _forget_the_dead() -> None:
    """Have TCP give up in seconds on what a killed process left unsent: till then the namespace stays."""
    # Some containers may not write here; there it takes the kernel two minutes.
    with suppress(OSError):
        ORPHAN_RETRIES.write_text("3", encoding="ascii")


@contextmanager
def _returning() -> Iterator[None]:
    """Come back to the namespace that the calling thread is in now."""
    home = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        _call("setns", home, CLONE_NEWNET)
        os.close(home)


def _call(function: str, *arguments: int) -> None:
    # Python has these from 3.12 on.
    if getattr(ctypes.CDLL(None, use_errno=True), function)(*arguments):
        error = ctypes.get_errno()
        raise HarnessError(f"{function}: {os.strerror(error)}")
