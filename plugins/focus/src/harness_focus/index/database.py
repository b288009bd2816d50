"""A stream's SQLite file: opened so that it is read while it is written, and changed all at once or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import HarnessError

BUSY_SECONDS = 30


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """Open a file with write-ahead logging, under which readers never wait for the writer."""
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
        )
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.DatabaseError as error:
        raise HarnessError(f"is no index that can be opened: {error}", where=str(path)) from None
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[sqlite3.Connection]:
    """Commit what the block changes, or nothing of it."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        raise HarnessError(f"cannot be written: {error}", where=str(path)) from None
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
