"""What every method that is compared gets: a stream's objects, what calls cost here, and a judge of its answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from harness import Job
from harness_focus.footage.footage import TEST
from harness_focus.footage.scoring import dominant, present
from harness_focus.trials.costs import measure_camera, measure_expert

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_focus.footage.footage import Footage
    from harness_focus.networks import ExpensiveNetwork
    from harness_focus.video.reading import Image
    from harness_focus.workload import VideoWorkload

    Answer = tuple[NDArray[np.int64], int]


class Trial:
    """One method's run over a stream. Beginning it measures what an expensive call and a frame cost in this process."""

    def __init__(self, job: Job[VideoWorkload]) -> None:
        self.job, self.trace = job, job.trace
        with self.trace.span("prepare"):
            self.footage: Footage = job.workload.footage(job.seed)
            self.expert = job.workload.expert()
            self.expert_multiply_adds = measure_expert(self.trace, self.expert, self.footage, job.rng(1))
            measure_camera(self.trace, job.workload.video(job.seed))
        self.trace.begin()
        self.trace.count("frames", len(self.footage.frame_seconds))
        self.trace.count("objects", len(self.footage.labels))

    @property
    def asked(self) -> list[int]:
        """The dominant classes, the most frequent first: those that are asked for; never OTHER."""
        return dominant(self.footage.named(self.footage.labels))

    def labelled(self, label: int) -> NDArray[np.int64]:
        """The frames that have an object of a class, as the expensive network says."""
        return np.unique(self.footage.frames[self.footage.labels == label])

    def ask(self, method: Callable[[int], Answer]) -> None:
        """Ask for each dominant class: a method gives the frames that it finds, and its expensive calls."""
        for number, label in enumerate(self.asked):
            if self.job.spent(steps=number):
                return
            frames, calls = method(label)
            self.trace.count("query_calls", calls, step=number)
            self._judge(number, label, frames)

    def _judge(self, number: int, label: int, frames: NDArray[np.int64]) -> None:
        """Count the test part's seconds that a query's answer has right, wrong and missed."""
        found, true = self.seconds_of(frames), self.seconds_of(self.labelled(label))
        test = self.footage.parts[: len(found)] == TEST
        for name, seconds in (("right", found & true), ("wrong", found & ~true), ("missed", true & ~found)):
            self.trace.count(name, int((seconds & test).sum()), step=number)

    def seconds_of(self, frames: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For each second of the stream, whether at least half of its frames are among these."""
        return present(frames, self._whole)

    @cached_property
    def _whole(self) -> NDArray[np.int64]:
        return self.footage.frame_seconds.astype(np.int64)


class Recalled:
    """The expensive network, answering from what it said of a stream's objects before.

    A crop is recognised by its pixels. ``purpose`` is part of the identity: verdicts that an index keeps for one
    purpose are not found for another, and a query stays cold.
    """

    def __init__(self, footage: Footage, identity: str, purpose: str) -> None:
        self.identity, self.classes, self.calls = f"{identity}, {purpose}", footage.classes, 0
        self._labels = _by_content(footage)

    def __call__(self, crops: Sequence[Image]) -> list[str]:
        """The labels, counted as calls."""
        self.calls += len(crops)
        return [self._labels[_content(crop)] for crop in crops]


class Shown(Recalled):
    """One that shows its first crop to the network itself, so that what a call takes can be counted."""

    def __init__(self, footage: Footage, expert: ExpensiveNetwork) -> None:
        super().__init__(footage, expert.identity, "shown one crop")
        self._expert = expert

    def __call__(self, crops: Sequence[Image]) -> list[str]:
        """The labels, counted as calls."""
        if not self.calls:
            self._expert(crops[:1])
        return super().__call__(crops)


@lru_cache(maxsize=1)
def _by_content(footage: Footage) -> dict[bytes, str]:
    names = (footage.classes[n] for n in footage.labels.tolist())
    return {_content(crop): name for crop, name in zip(footage.crops, names, strict=True)}


def _content(crop: Image) -> bytes:
    shape = np.array(crop.shape, dtype=np.int64).tobytes()
    return hashlib.blake2b(shape + np.ascontiguousarray(crop).tobytes(), digest_size=16).digest()
