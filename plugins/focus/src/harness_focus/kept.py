"""What is made once and kept: composed videos, their objects and labels, trained networks; beside the data sets."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

from harness_focus.cutouts import CUTOUTS


def named(*parts: object) -> str:
    """A short name by content: it changes when any of the parts does."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """A file that ``make`` writes where it is told to, unless it is there already; it appears when it is complete."""
    path = CUTOUTS.folder.parent / "focus" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{os.getpid()}-{threading.get_ident()}-{path.name}")
        try:
            make(partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    return path


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
