"""Ingest: frames become objects, clusters of objects, and the top-K index (Hsieh et al., OSDI 2018, section 4).

For each frame, what moves is found; the rest is indexing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from harness_focus.index.recording import Recorder, Segment
from harness_focus.ingest.indexing import Indexing, Settings
from harness_focus.ingest.renewing import RenewedMotion

if TYPE_CHECKING:
    from harness_focus.index.reading import Index
    from harness_focus.ingest.gathering import Gathering
    from harness_focus.networks import CheapNetwork
    from harness_focus.video.reading import Frame, Video

__all__ = ["Ingest", "Settings", "begin"]


class Ingest:
    """Adds a stream's frames to its index, from where the index ends; a ``gathering`` gets all objects too."""

    def __init__(self, network: CheapNetwork, recorder: Recorder, settings: Settings) -> None:
        self.settings, self.recorder = settings, recorder
        self.gathering: Gathering | None = None
        self._indexing = Indexing(network, recorder, settings)
        self._motion = RenewedMotion(settings)
        self._done = self._indexing.begun.frames
        self._first = self._motion.first(self._done)

    def watch(self, video: Video) -> Iterator[Segment]:
        """Read a video from where the index ends; yield each segment once it is committed."""
        return self.run(self.frames_of(video))

    def frames_of(self, video: Video) -> Iterator[Frame]:
        """A video's frames from where the index ends, and those before it that have to be seen again."""
        return video.frames(self.recorder.done(self._first), began=self.recorder.began())

    def run(self, frames: Iterable[Frame]) -> Iterator[Segment]:
        """Read frames, of which some may be indexed already; yield each segment once it is committed."""
        for frame in frames:
            if frame.number < self._first:
                continue
            boxes = self._motion.boxes(frame.number, frame.image)
            if frame.number == self._done - 1:
                self._indexing.recall(frame.image)
            elif frame.number >= self._done:
                # A view would keep the whole picture.
                objects = [(box, box.of(frame.image).copy()) for box in boxes]
                if self.gathering:
                    self.gathering.take(frame.seconds, objects)
                if segment := self._indexing.look(frame.number, frame.seconds, objects):
                    yield segment
        if segment := self._indexing.commit():
            yield segment


def begin(
    path: Path,
    source: str,
    network: CheapNetwork,
    settings: Settings,
    *,
    expert: str | None = None,
    after: Index | None = None,
) -> Ingest:
    """Ingest of a source into a file, which may hold the stream's beginning, or begin where another index ends.

    ``expert`` is what the expensive network is called that queries ask if they are not told otherwise.
    """
    made_with = {**asdict(settings), "network": network.identity, **({"expert": expert} if expert else {})}
    recorder = Recorder.at(path, source=source, classes=network.classes, settings=made_with, after=after)
    return Ingest(network, recorder, settings)
