"""What the ranks of torch's launcher tell each other: notes of any size, pinned to its key-value store."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

PART_BYTES = 4 * 2**20  # the store takes 8 MiB at a time
POLL_SECONDS = 0.02
FOREVER = timedelta(days=365)


class Board:
    """Notes in a store of torch.distributed; a key is written once, by one rank."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def post(self, key: str, thing: Any) -> None:
        """Pin something that can be pickled."""
        data = pickle.dumps(thing)
        starts = range(0, len(data), PART_BYTES)
        for number, start in enumerate(starts):
            self._store.set(f"{key}/{number}", data[start : start + PART_BYTES])
        self._store.set(key, str(len(starts)))

    def take(self, key: str) -> Any:
        """Wait for a note, however long that is."""
        self._store.wait([key], FOREVER)
        parts = [self._store.get(f"{key}/{number}") for number in range(int(self._store.get(key)))]
        return pickle.loads(b"".join(parts))

    def has(self, key: str) -> bool:
        """Whether the note is there."""
        return bool(self._store.check([key]))

    def await_any(self, key: str, given_up: Callable[[], bool]) -> bool:
        """Wait for a note, or until there is no use in waiting; whether it is there."""
        while not self.has(key):
            if given_up():
                return self.has(key)
            time.sleep(POLL_SECONDS)
        return True
