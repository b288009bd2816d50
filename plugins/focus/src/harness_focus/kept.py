"""What is made once and kept: composed videos, their objects and labels, trained networks; beside the data sets."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness_focus.streams.cutouts import CUTOUTS


def named(*parts: object) -> str:
    """A short name by content: it changes when any of the parts does."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """A file that ``make`` writes where it is told to, unless it is there already; it appears when it is complete.

    Whoever else asks for it meanwhile, in this process or another, waits.
    """
    path = CUTOUTS.folder.parent / "focus" / name
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.with_name(f".{path.name}.lock")):
        if not path.exists():
            _make(path, make)
    return path


def _make(path: Path, make: Callable[[Path], None]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    try:
        make(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock on a file; it goes with the process that holds it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
