"""Ingest: frames become objects, clusters of objects, and the top-K index (Hsieh et al., OSDI 2018, section 4).

For each frame, what moves is found; the rest is indexing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness_focus.indexing import Indexing, Settings, Sighting
from harness_focus.motion import Motion
from harness_focus.recording import Recorder, Segment

if TYPE_CHECKING:
    from harness_focus.networks import CheapNetwork
    from harness_focus.video import Frame

__all__ = ["Ingest", "Settings", "begin", "sightings"]


class Ingest:
    """Adds a stream's frames to its index, from where the index ends."""

    def __init__(self, network: CheapNetwork, recorder: Recorder, settings: Settings) -> None:
        self.settings, self._indexing = settings, Indexing(network, recorder, settings)
        self._motion = Motion(area=settings.area, margin=settings.margin)

    def run(self, frames: Iterable[Frame]) -> Iterator[Segment]:
        """Read frames from the stream's start; yield each segment once it is committed."""
        done = self._indexing.begun.frames
        for frame in frames:
            if frame.number < done:
                if frame.number >= done - self.settings.relearn:
                    self._motion.boxes(frame.image)
                continue
            boxes = self._motion.boxes(frame.image)
            # A view would keep the whole picture.
            objects = [(box, box.of(frame.image).copy()) for box in boxes]
            if segment := self._indexing.look(frame.number, frame.seconds, objects):
                yield segment
        if segment := self._indexing.commit():
            yield segment


def begin(path: Any, source: str, network: CheapNetwork, settings: Settings) -> Ingest:
    """Ingest of a source into a file, which may hold the stream's beginning."""
    made_with = {**asdict(settings), "network": network.identity}
    recorder = Recorder.at(path, source=source, classes=network.classes, settings=made_with)
    return Ingest(network, recorder, settings)


def sightings(frames: Iterable[Frame], settings: Settings) -> Iterator[Sequence[Sighting]]:
    """The moving objects of each frame, without any network: what all methods that are compared get."""
    motion = Motion(area=settings.area, margin=settings.margin)
    for frame in frames:
        yield [
            Sighting(frame.number, frame.seconds, box, box.of(frame.image).copy()) for box in motion.boxes(frame.image)
        ]
