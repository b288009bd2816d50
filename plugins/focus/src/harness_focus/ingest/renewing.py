"""Motion found against a background that is learned anew from time to time.

A mixture model remembers, ever more faintly, all that it was shown. Here what it remembers ends somewhere, so that an
ingest that goes on after a break finds what it would have found without one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from harness_focus.video.motion import Box, Motion

if TYPE_CHECKING:
    from harness_focus.ingest.indexing import Settings
    from harness_focus.video.reading import Image


class RenewedMotion:
    """Finds what moves; each ``period`` frames a new background takes over that learned from the ``lead`` before."""

    def __init__(self, settings: Settings) -> None:
        self.period, self.lead = settings.renewed, min(settings.relearn, settings.renewed)
        self._begin = partial(Motion, area=settings.area, margin=settings.margin, whole=settings.whole)
        self._now, self._round = self._begin(), 0
        self._next: Motion | None = None

    def first(self, number: int) -> int:
        """The first frame that has to be seen so that those from ``number`` on are judged as if all had been."""
        return max(number // self.period * self.period - self.lead, 0)

    def boxes(self, number: int, image: Image) -> list[Box]:
        """The moving objects of the next picture."""
        turn, place = divmod(number, self.period)
        if turn > self._round:
            self._now, self._next, self._round = self._next or self._begin(), None, turn
        if place >= self.period - self.lead:
            self._next = self._next or self._begin()
            self._next.boxes(image)
        return self._now.boxes(image)
