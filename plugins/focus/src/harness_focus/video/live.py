"""Keeping up with a source that does not wait: what is not taken in time is left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from threading import Condition, Thread
from typing import Generic, TypeVar

ROOM = 32  # items that wait to be taken

Item = TypeVar("Item")


class Latest(Generic[Item]):
    """The items of a source with their numbers, from 0; a thread reads them as they come.

    Where more than ``room`` wait, the oldest is left out, and its number missing. An error of the source is raised
    when what came before it has been taken.
    """

    def __init__(self, source: Iterable[Item], *, room: int = ROOM) -> None:
        self._waiting: deque[tuple[int, Item]] = deque(maxlen=room)
        self._changed = Condition()
        self._ended = self._left = False
        self._error: Exception | None = None
        self._thread = Thread(target=self._read, args=(source,), daemon=True)

    def __iter__(self) -> Iterator[tuple[int, Item]]:
        self._thread.start()
        try:
            while (item := self._next()) is not None:
                yield item
        finally:
            self._left = True
            self._thread.join()
        if self._error:
            raise self._error

    def _next(self) -> tuple[int, Item] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            return self._waiting.popleft() if self._waiting else None

    def _read(self, source: Iterable[Item]) -> None:
        try:
            for numbered in enumerate(source):
                with self._changed:
                    self._waiting.append(numbered)
                    self._changed.notify()
                if self._left:
                    break
        except Exception as error:
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify()
