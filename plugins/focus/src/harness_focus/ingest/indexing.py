"""Indexing: a stream's objects become clusters and the top-K index (Hsieh et al., OSDI 2018, section 4).

For each frame: 1. An object that looks as it did a frame ago joins its cluster. 2. The cheap network gives the rest
features and probabilities, in batches. 3. Each joins a cluster. At a segment's end all of it is committed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness_focus.index.clustering import Cluster, Clustering
from harness_focus.index.recording import Member, Recorder, Segment
from harness_focus.networks import CHEAP_BATCH
from harness_focus.video.differencing import Differencing
from harness_focus.video.motion import Box
from harness_focus.video.pictures import encode

if TYPE_CHECKING:
    from harness_focus.networks import CheapNetwork
    from harness_focus.video.reading import Image


@dataclass(frozen=True)
class Settings:
    """What an index is made with; queries may ask for fewer than ``k`` classes.

    ``threshold`` is the clustering's T, ``active`` its M; ``differencing`` a difference of grey levels, 0 for none;
    each ``renewed`` frames a background takes over that learned from the ``relearn`` frames before. ``whole`` leaves
    out objects that the picture's border cuts.
    """

    k: int = 4
    threshold: float = 0.5
    active: int = 100
    differencing: float = 2.0
    segment_seconds: float = 10.0
    area: int = 300
    margin: float = 0.15
    renewed: int = 2000
    relearn: int = 400
    whole: bool = False


@dataclass(eq=False)
class Sighting:
    """An object of a frame: its crop, and the earlier sighting that it looks like, if any; its cluster, once known."""

    frame: int
    seconds: float
    box: Box
    crop: Image
    like: Sighting | None = None
    cluster: Cluster | None = None


@dataclass(eq=False)
class _Gathered:
    """What the segment in progress has so far; ``last`` is its last frame's number and time."""

    members: list[Member] = field(default_factory=list)
    changed: dict[int, Cluster] = field(default_factory=dict)
    crops: dict[int, Image] = field(default_factory=dict)
    frames_in: Counter[int] = field(default_factory=Counter)
    calls: int = 0
    dropped: int = 0
    last: tuple[int, float] | None = None


class Indexing:
    """Adds the objects of a stream's frames to its index, from where the index ends."""

    def __init__(self, network: CheapNetwork, recorder: Recorder, settings: Settings) -> None:
        self.network, self.recorder, self.settings = network, recorder, settings
        self.begun = recorder.position()
        self._differencing: Differencing[Sighting] = Differencing(threshold=settings.differencing)
        self._clustering = Clustering(threshold=settings.threshold, limit=settings.active)
        self._clustering.resume(recorder.active(), self.begun.clusters)
        self._pending: list[Sighting] = []
        self._gathered = _Gathered()
        self._following = self.begun.frames
        self._end = self._segment_end(self.begun.seconds)

    def recall(self, image: Image) -> None:
        """Take the last frame that is indexed: objects of the next one may look like its own."""
        known = {cluster.number: cluster for cluster in self._clustering.active}
        for box, found in self.recorder.members(self.begun.frames - 1).items():
            cluster, crop = known.setdefault(found.number, found), box.of(image).copy()
            seen = Sighting(self.begun.frames - 1, self.begun.seconds, box, crop, cluster=cluster)
            self._differencing.remember(box, crop, seen)
        self._differencing.turn()

    def look(self, number: int, seconds: float, objects: Sequence[tuple[Box, Image]]) -> Segment | None:
        """Take the objects of the next frame; the segment that ended before it, once it is committed."""
        done = self.commit() if seconds >= self._end else None
        if self._gathered.last is None:
            self._end = self._segment_end(seconds)
        self._gathered.dropped += number - self._following
        self._following = number + 1
        self._gathered.last = number, seconds
        self._gathered.frames_in[int(seconds)] += 1
        for box, crop in objects:
            seen = Sighting(number, seconds, box, crop, self._differencing.same(box, crop))
            self._differencing.remember(box, crop, seen.like or seen)
            self._pending.append(seen)
        self._differencing.turn()
        if sum(seen.like is None for seen in self._pending) >= CHEAP_BATCH:
            self._classify()
        return done

    def commit(self) -> Segment | None:
        """Commit the segment in progress, as at the stream's end; None where it has no frame."""
        self._classify()
        done = self._gathered
        if done.last is None:
            return None
        segment = Segment(
            frames=done.last[0] + 1,
            seconds=done.last[1],
            clusters=self._clustering.next,
            members=done.members,
            changed=list(done.changed.values()),
            active=[cluster.number for cluster in self._clustering.active],
            pictures={number: encode(crop) for number, crop in done.crops.items()},
            frames_in=done.frames_in,
            counts={"objects": len(done.members), "calls": done.calls, "dropped": done.dropped},
        )
        self.recorder.commit(segment, k=self.settings.k)
        self._gathered = _Gathered()
        return segment

    def _segment_end(self, seconds: float) -> float:
        """Where the segment ends that a moment lies in."""
        return (math.floor(seconds / self.settings.segment_seconds) + 1) * self.settings.segment_seconds

    def _classify(self) -> None:
        fresh = [seen for seen in self._pending if seen.like is None]
        vectors = iter(zip(*self.network([seen.crop for seen in fresh]), strict=True) if fresh else ())
        for seen in self._pending:
            if seen.like is None:
                self._join(seen, *next(vectors))
            else:
                seen.cluster = seen.like.cluster
                assert seen.cluster is not None
                seen.cluster.include()
            self._note(seen)
        self._gathered.calls += len(fresh)
        self._pending.clear()

    def _join(self, seen: Sighting, feature: Any, probabilities: Any) -> None:
        joined = self._clustering.add(feature, probabilities)
        seen.cluster = joined.cluster
        if joined.representative:
            self._gathered.crops[joined.cluster.number] = seen.crop

    def _note(self, seen: Sighting) -> None:
        assert seen.cluster is not None
        self._gathered.changed[seen.cluster.number] = seen.cluster
        self._gathered.members.append(Member(seen.cluster.number, seen.frame, seen.seconds, seen.box))
