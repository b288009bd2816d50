"""What a cell's costs are made of: seconds of a call of a network, of a frame's decoding and motion, multiply-adds.

Seconds are CPU seconds of this process, measured where they are charged: other work on the machine hardly counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness import HarnessError, TraceWriter
from harness_focus.networks import labelled
from harness_focus.networks.arithmetic import multiply_adds
from harness_focus.video.motion import Motion
from harness_focus.video.reading import Video

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_focus.footage.footage import Footage
    from harness_focus.networks import CheapNetwork, ExpensiveNetwork
    from harness_focus.video.reading import Image

TIMED = 512  # crops on which the expensive network's call is measured
STRETCH = 1_000  # frames on which decoding and background subtraction are measured
DIFFERING = 0.01  # of labels that are worked out again: rounding may decide between two classes, no more


@contextmanager
def charged(trace: TraceWriter, name: str, *, step: int = -1) -> Iterator[None]:
    """Record a span whose value is the CPU seconds that the block took."""
    before = trace.cpu_clock()
    with trace.span(name, step=step) as span:
        yield
        span.value = trace.cpu_clock() - before


def measure_expert(trace: TraceWriter, expert: ExpensiveNetwork, footage: Footage, rng: np.random.Generator) -> int:
    """Measure a call on random objects (span ``expert_timing``, counter ``expert_timed``) and check their labels.

    Returns the multiply-adds of a call. Raises HarnessError where the network says other than the stored labels.
    """
    some = rng.choice(len(footage.crops), min(TIMED, len(footage.crops)), replace=False)
    crops = [footage.crops[n] for n in some.tolist()]
    taken = multiply_adds(lambda: expert(crops[:1]))
    trace.count("expert_multiply_adds", taken)
    with charged(trace, "expert_timing"):
        labels = labelled(crops, expert)
    trace.count("expert_timed", len(crops))
    wrong = sum(footage.classes[footage.labels[n]] != label for n, label in zip(some.tolist(), labels, strict=True))
    if wrong > math.ceil(DIFFERING * len(crops)):
        raise HarnessError(f"{wrong} of {len(crops)} stored labels are not what {expert.identity} says")
    return taken


def measure_camera(trace: TraceWriter, video: Path) -> None:
    """Measure decoding and background subtraction on a stretch (span ``camera``, counter ``camera_frames``)."""
    motion, frames = Motion(), 0
    with charged(trace, "camera"):
        for frame in islice(Video(str(video)).frames(), STRETCH):
            for box in motion.boxes(frame.image):
                box.of(frame.image).copy()
            frames += 1
    trace.count("camera_frames", frames)


class Metered:
    """A cheap network whose calls leave spans ``cheap_network`` and a counter ``cheap_calls``."""

    def __init__(self, network: CheapNetwork, trace: TraceWriter, crops: Sequence[Image]) -> None:
        self.identity, self.classes = network.identity, network.classes
        self._network, self._trace = network, trace
        trace.count("cheap_multiply_adds", multiply_adds(lambda: network(crops[:1])))

    def __call__(self, crops: Sequence[Image]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What the network says."""
        with charged(self._trace, "cheap_network"):
            found = self._network(crops)
        self._trace.count("cheap_calls", len(crops))
        return found
