"""A stream as experiments use it: all its moving objects, what the expensive network calls each, and three parts.

Objects and labels are found once and kept by content. A few labels are worked out again every time, and must agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness import HarnessError
from harness_focus.footage.objects import objects_of
from harness_focus.kept import kept, named
from harness_focus.networks import OTHER, labelled
from harness_focus.video.reading import Video

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_focus.footage.objects import Crops, Objects
    from harness_focus.networks import ExpensiveNetwork

TRAINING, VALIDATION, TEST = 0, 1, 2
BLOCK = 40  # seconds of the stream that belong to one part; fewer where a stream has not two rounds of them
# The parts of as many blocks, in an order drawn for each round. Validation is the larger half of calibration: what is
# known for sure of a setting is bounded by how many tracks it was tried on, and teaching needs fewer.
ROUND = (TRAINING, VALIDATION, VALIDATION, TEST, TEST)
AGAIN = 32  # labels that are worked out again


@dataclass(frozen=True, eq=False)
class Footage:
    """All moving objects of a stream, in order of time.

    ``frames``, ``seconds``, ``labels`` and ``tracks`` are (objects,), ``boxes`` is (objects, 4) as in ``motion.Box``,
    ``crops`` are RGB at their own size. ``labels`` index ``classes`` and are the expensive network's own: the truth.
    ``frames_in`` counts the frames of each second, ``frame_seconds`` has the time of every frame, ``parts`` says for
    every second of the stream whether it is TRAINING, VALIDATION or TEST. ``tracks`` is a guess, for resampling.
    """

    frames: NDArray[np.int64]
    seconds: NDArray[np.float64]
    boxes: NDArray[np.int64]
    crops: Crops
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    frames_in: Mapping[int, int]
    frame_seconds: NDArray[np.float64]
    parts: NDArray[np.int8]
    tracks: NDArray[np.int64]

    def within(self, part: int) -> NDArray[np.int64]:
        """Which objects lie in a part."""
        return np.flatnonzero(self.parts[self.seconds.astype(np.int64)] == part)

    def named(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of some labels those that can be asked for: all but OTHER, which an expensive network may have."""
        return labels[labels != self.classes.index(OTHER)] if OTHER in self.classes else labels


def footage_of(video: Path, expert: ExpensiveNetwork, seed: int, *, whole: bool = False) -> Footage:
    """Find, label and divide a video's objects; ``whole`` leaves out those that the picture's border cuts.

    Raises HarnessError where kept labels are not the network's.
    """
    objects = objects_of(video)
    if whole:
        pictures = Video(str(video))
        objects = objects.whole(pictures.width, pictures.height)
    labels, classes = _labelled(objects, expert)
    times = objects.frame_seconds.astype(np.int64)
    numbers, counts = np.unique(times, return_counts=True)
    return Footage(
        frames=objects.frames,
        seconds=objects.frame_seconds[objects.frames],
        boxes=objects.boxes,
        crops=objects.crops,
        labels=labels,
        classes=classes,
        frames_in=dict(zip(numbers.tolist(), counts.tolist(), strict=True)),
        frame_seconds=objects.frame_seconds,
        parts=parted(divided(int(times.max()) + 1, seed), tied(objects.frame_seconds[objects.frames], objects.tracks)),
        tracks=objects.tracks,
    )


def divided(seconds: int, seed: int) -> NDArray[np.int8]:
    """Spread the three parts over a stream, block by block, so that each sees every time of day."""
    rng, block = np.random.default_rng([seed, BLOCK]), block_of(seconds)
    rounds = -(-seconds // (block * len(ROUND)))
    blocks = np.concatenate([rng.permutation(ROUND) for _ in range(rounds)])
    return np.repeat(blocks, block)[:seconds].astype(np.int8)


def tied(seconds: NDArray[np.float64], tracks: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each second up to the last object, whether a track goes on into it from the second before."""
    of = seconds.astype(np.int64)
    found = np.zeros(int(of.max(initial=-1)) + 1, dtype=bool)
    order = np.argsort(tracks, kind="stable")
    for track in np.split(of[order], np.flatnonzero(np.diff(tracks[order])) + 1):
        found[track.min(initial=len(found)) + 1 : track.max(initial=0) + 1] = True
    return found


def parted(parts: NDArray[np.int8], tied: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Move each border to where nothing crosses it: what is to be seen belongs to one part, unless it stays too long.

    A border waits for half a block at most.
    """
    patience = block_of(len(parts)) // 2
    moved, waited = parts.copy(), 0
    for second in range(1, len(parts)):
        late = second < len(tied) and tied[second] and waited < patience and moved[second - 1] != parts[second]
        waited = waited + 1 if late else 0
        if late:
            moved[second] = moved[second - 1]
    return moved


def block_of(seconds: int) -> int:
    """How long the blocks of a stream are."""
    return min(BLOCK, max(seconds // (2 * len(ROUND)), 1))


def _labelled(objects: Objects, expert: ExpensiveNetwork) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    name = f"{named('labels', objects.identity, expert.identity)}.txt"
    path = kept(name, lambda target: _write(target, labelled(objects.crops, expert)))
    words = path.read_text(encoding="utf-8").split("\n")[:-1]
    _check(words, objects.crops, expert, path)
    return numbered(words, expert)


def numbered(words: Sequence[str], expert: ExpensiveNetwork) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels as numbers, and the classes that they number; one that the network did not announce comes last."""
    classes = (*expert.classes, *sorted({*words} - {*expert.classes}))
    number = {name: n for n, name in enumerate(classes)}
    return np.array([number[word] for word in words], dtype=np.int64), classes


def _write(path: Path, labels: list[str]) -> None:
    path.write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")


def _check(labels: Sequence[str], crops: Crops, expert: ExpensiveNetwork, path: Path) -> None:
    """Work out a random few labels again."""
    some = np.random.default_rng().choice(len(crops), min(AGAIN, len(crops)), replace=False).tolist()
    again = labelled([crops[n] for n in some], expert)
    wrong = sum(labels[n] != label for n, label in zip(some, again, strict=True))
    if wrong or len(labels) != len(crops):
        raise HarnessError(
            f"{wrong} of {len(some)} labels are not what {expert.identity} says now; remove the file", where=str(path)
        )
