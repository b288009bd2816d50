"""The moving objects of a whole video, found once and kept: where, when, and as pictures that are read on demand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np

from harness_focus.kept import digest, kept, named
from harness_focus.video.motion import Box, Motion
from harness_focus.video.reading import Video

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_focus.video.reading import Image

VERSION = 1  # of what is found; a change of Motion's defaults needs another
FOLLOWED = 0.3  # overlap with an object of the frames before: the same track
GAP = 3  # frames that a track may be lost for


class Crops(Sequence["Image"]):
    """Pictures of different sizes in one file, all or some; each is read when it is asked for."""

    def __init__(
        self, pixels: NDArray[np.uint8], boxes: NDArray[np.int64], some: NDArray[np.int64] | None = None
    ) -> None:
        self._pixels, self._boxes = pixels, boxes
        self._ends = np.cumsum(3 * boxes[:, 2] * boxes[:, 3])
        self._which = np.arange(len(boxes)) if some is None else some

    def __len__(self) -> int:
        return len(self._which)

    def some(self, which: NDArray[np.int64]) -> Crops:
        """Those at some places."""
        return Crops(self._pixels, self._boxes, self._which[which])

    @overload
    def __getitem__(self, index: int) -> Image: ...
    @overload
    def __getitem__(self, index: slice) -> list[Image]: ...
    def __getitem__(self, index: int | slice) -> Image | list[Image]:
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        number = self._which[index]
        wide, high = (int(size) for size in self._boxes[number, 2:])
        end = int(self._ends[number])
        return self._pixels[end - 3 * wide * high : end].reshape(high, wide, 3)


@dataclass(frozen=True, eq=False)
class Objects:
    """A video's objects in order of time: frame, box (x, y, width, height), track, picture; and all frames' times."""

    frames: NDArray[np.int64]
    boxes: NDArray[np.int64]
    tracks: NDArray[np.int64]
    crops: Crops
    frame_seconds: NDArray[np.float64]
    identity: str

    def whole(self, width: int, height: int) -> Objects:
        """Without those that the border of pictures of this size cuts."""
        some = np.flatnonzero([Box(*row).inside(width, height) for row in self.boxes.tolist()])
        return replace(
            self,
            frames=self.frames[some],
            boxes=self.boxes[some],
            tracks=self.tracks[some],
            crops=self.crops.some(some),
            identity=f"{self.identity}, whole",
        )


def objects_of(video: Path) -> Objects:
    """Find a video's objects, or read what was found before."""
    identity = named("objects", VERSION, digest(video))
    pixels = kept(f"{identity}.pixels", lambda path: _find(video, path, identity))
    with np.load(pixels.with_suffix(".npz")) as found:
        frames, boxes, seconds = found["frames"], found["boxes"], found["frame_seconds"]
    flat = np.memmap(pixels, dtype=np.uint8, mode="r") if pixels.stat().st_size else np.zeros(0, np.uint8)
    return Objects(frames, boxes, tracked(frames, boxes), Crops(flat, boxes), seconds, identity)


def _find(video: Path, target: Path, identity: str) -> None:
    """Write all objects' pixels to the target, one after another, and beside it the arrays."""
    motion, seconds = Motion(), []
    frames: list[int] = []
    boxes: list[tuple[int, int, int, int]] = []
    with target.open("wb") as pixels:
        for frame in Video(str(video)).frames():
            seconds.append(frame.seconds)
            for box in motion.boxes(frame.image):
                frames.append(frame.number)
                boxes.append((box.x, box.y, box.width, box.height))
                pixels.write(np.ascontiguousarray(box.of(frame.image)).tobytes())
    arrays = {
        "frames": np.array(frames, dtype=np.int64),
        "boxes": np.array(boxes, dtype=np.int64).reshape(-1, 4),
        "frame_seconds": np.array(seconds),
    }
    kept(f"{identity}.npz", lambda path: _save(path, arrays))


def _save(path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # NumPy 2.0 has no allow_pickle here


def tracked(frames: NDArray[np.int64], boxes: NDArray[np.int64]) -> NDArray[np.int64]:
    """A guess at which objects are one: an object that overlaps one of the frames just before continues its track."""
    tracks = np.zeros(len(frames), dtype=np.int64)
    last: dict[int, tuple[int, Box]] = {}
    for n, (frame, row) in enumerate(zip(frames.tolist(), boxes.tolist(), strict=True)):
        box = Box(*row)
        last = {track: seen for track, seen in last.items() if frame - seen[0] <= GAP}
        tracks[n] = next(_continued(last, frame, box), n)
        last[int(tracks[n])] = frame, box
    return np.unique(tracks, return_inverse=True)[1].astype(np.int64)


def _continued(last: dict[int, tuple[int, Box]], frame: int, box: Box) -> Iterator[int]:
    """The tracks that an object may continue, the best first."""
    overlaps = [(seen.overlap(box), track) for track, (when, seen) in last.items() if when < frame]
    yield from (track for overlap, track in sorted(overlaps, reverse=True) if overlap >= FOLLOWED)
