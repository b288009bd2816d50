"""The moving objects of a stretch of a user's own stream, and a sample of them labelled: what tuning needs."""

from __future__ import annotations

import math
import tempfile
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness import HarnessError
from harness_focus.footage.footage import ROUND, TEST, Footage, block_of, divided, numbered, parted, tied
from harness_focus.footage.objects import Crops, tracked
from harness_focus.ingest.renewing import RenewedMotion
from harness_focus.networks import EXPENSIVE_BATCH, batches
from harness_focus.video.motion import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_focus.ingest.indexing import Settings
    from harness_focus.networks import ExpensiveNetwork
    from harness_focus.video.reading import Image, Video

UNKNOWN = -1  # the label of an object that was not shown to it


class Gathering:
    """Objects as they come; their pictures lie in a temporary file, which goes when this does."""

    def __init__(self) -> None:
        self._pixels = tempfile.TemporaryFile(prefix="harness-focus-")  # noqa: SIM115
        weakref.finalize(self, self._pixels.close)
        self._frames: list[int] = []
        self._boxes: list[tuple[int, int, int, int]] = []
        self._seconds: list[float] = []

    def take(self, seconds: float, objects: Sequence[tuple[Box, Image]]) -> None:
        """Take the objects of the next frame."""
        for box, crop in objects:
            self._frames.append(len(self._seconds))
            self._boxes.append((box.x, box.y, box.width, box.height))
            self._pixels.write(np.ascontiguousarray(crop).tobytes())
        self._seconds.append(seconds)

    @property
    def lasts(self) -> float:
        """Seconds from the first frame to the last."""
        return self._seconds[-1] - self._seconds[0] if self._seconds else 0.0

    def footage(
        self,
        expert: ExpensiveNetwork,
        *,
        sample: float,
        seed: int,
        tell: Callable[[int, int], None] = lambda done, all_: None,
    ) -> Footage:
        """Label about ``sample`` seconds of it, spread over the whole; ``tell`` hears how many of how many are done.

        Raises HarnessError where nothing moved.
        """
        if not self._frames:
            raise HarnessError("nothing moves in the video, so that there is nothing to tune to")
        frames, boxes = np.array(self._frames, dtype=np.int64), np.array(self._boxes, dtype=np.int64)
        times = np.array(self._seconds) - math.floor(self._seconds[0])
        tracks = tracked(frames, boxes)
        parts = parted(sampled(int(times[-1]) + 1, sample, seed), tied(times[frames], tracks))
        crops = self._crops(boxes)
        asked = np.flatnonzero(parts[times[frames].astype(np.int64)] != TEST)
        labels, classes = _labelled(crops, asked, expert, tell)
        numbers, counts = np.unique(times.astype(np.int64), return_counts=True)
        return Footage(
            frames=frames,
            seconds=times[frames],
            boxes=boxes,
            crops=crops,
            labels=labels,
            classes=classes,
            frames_in=dict(zip(numbers.tolist(), counts.tolist(), strict=True)),
            frame_seconds=times,
            parts=parts,
            tracks=tracks,
        )

    def _crops(self, boxes: NDArray[np.int64]) -> Crops:
        self._pixels.flush()
        return Crops(np.memmap(self._pixels, dtype=np.uint8, mode="r"), boxes)


def gathered(video: Video, settings: Settings) -> Gathering:
    """All objects of a video, as ingest would find them."""
    gathering, motion = Gathering(), RenewedMotion(settings)
    for frame in video.frames():
        boxes = motion.boxes(frame.number, frame.image)
        gathering.take(frame.seconds, [(box, box.of(frame.image)) for box in boxes])
    return gathering


def sampled(seconds: int, sample: float, seed: int) -> NDArray[np.int8]:
    """The part that each second belongs to, where no more than about ``sample`` seconds are for other than testing."""
    parts, block = divided(seconds, seed), block_of(seconds)
    whole = block * len(ROUND)
    rounds = math.ceil(seconds / whole)
    wanted = min(max(math.ceil(sample / (block * sum(part != TEST for part in ROUND))), 1), rounds)
    chosen = np.linspace(0, rounds - 1, wanted).round()
    parts[~np.isin(np.arange(seconds) // whole, chosen)] = TEST
    return parts


def _labelled(
    crops: Crops, asked: NDArray[np.int64], expert: ExpensiveNetwork, tell: Callable[[int, int], None]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The labels of some objects, and UNKNOWN for the others; a class that the network did not announce comes last."""
    said: list[str] = []
    for batch in batches(crops.some(asked), EXPENSIVE_BATCH):
        said += expert(batch)
        tell(len(said), len(asked))
    labels = np.full(len(crops), UNKNOWN, dtype=np.int64)
    labels[asked], classes = numbered(said, expert)
    return labels, classes
