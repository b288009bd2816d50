"""The wire between threads of one process: sending copies the array into the other's mailbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.devices.payload import own_copy
from harness.devices.wire import CLOSED, ENDED, Lane, Mailbox, Pending, Wire, farewell

if TYPE_CHECKING:
    from harness.worker import Array


class ThreadWire(Wire):
    """One thread's end; all ends share the list of mailboxes."""

    def __init__(self, rank: int, mailboxes: Sequence[Mailbox]) -> None:
        self.rank = rank
        self.size = len(mailboxes)
        self._mailboxes = mailboxes

    def isend(self, array: Array, to: int, lane: Lane) -> Pending:
        """Copy into the other's mailbox; over at once."""
        lost = self.lost()
        if to in lost:
            return Pending().fail(farewell(to, lost[to]))
        self._mailboxes[to].deliver(self.rank, lane, own_copy(array))
        return Pending().finish()

    def irecv(self, source: int, lane: Lane) -> Pending:
        """Take from this thread's mailbox."""
        return self._mailboxes[self.rank].expect(source, lane)

    def close(self, reason: str = "") -> None:
        """Tell the others; nothing is on its way that could get lost."""
        for rank, mailbox in enumerate(self._mailboxes):
            mailbox.lose(self.rank, reason or ENDED)
            self._mailboxes[self.rank].lose(rank, reason or CLOSED)

    def lost(self) -> dict[int, str]:
        """Tell which threads have ended, and why."""
        return self._mailboxes[self.rank].lost()


def thread_wires(size: int) -> list[ThreadWire]:
    """Link so many threads; the ends are by rank."""
    mailboxes = [Mailbox() for _ in range(size)]
    return [ThreadWire(rank, mailboxes) for rank in range(size)]
