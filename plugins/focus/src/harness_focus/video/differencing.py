"""Pixel differencing: an object that looks as it did a picture ago needs no network (OSDI 2018, section 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_focus.video.motion import Box
    from harness_focus.video.reading import Image

SIDE = 16  # pixels of the small grey picture that is compared

Label = TypeVar("Label")


class Differencing(Generic[Label]):
    """Remembers the objects of the last picture, and what was decided about each.

    ``threshold`` is the mean absolute difference of grey levels, 0 to 255, up to which two objects are the same; 0
    never says so. ``overlap`` is the least intersection over union of their boxes.
    """

    def __init__(self, *, threshold: float, overlap: float = 0.6) -> None:
        self.threshold, self.overlap = threshold, overlap
        self._last: list[tuple[Box, NDArray[np.float32], Label]] = []
        self._now: list[tuple[Box, NDArray[np.float32], Label]] = []

    def same(self, box: Box, crop: Image) -> Label | None:
        """What was decided about the object of the last picture that this one is; None for a new one."""
        if self.threshold <= 0:
            return None
        grey = _grey(crop)
        near = [(_difference(grey, g), label) for b, g, label in self._last if box.overlap(b) >= self.overlap]
        least, label = min(near, key=lambda pair: pair[0], default=(np.inf, None))
        return label if least < self.threshold else None

    def remember(self, box: Box, crop: Image, label: Label) -> None:
        """Note what was decided about an object of the present picture."""
        if self.threshold > 0:
            self._now.append((box, _grey(crop), label))

    def turn(self) -> None:
        """Go on to the next picture."""
        self._last, self._now = self._now, []


def _grey(crop: Image) -> NDArray[np.float32]:
    import cv2

    small = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    grey: NDArray[np.float32] = small.astype(np.float32).mean(axis=2)
    return grey


def _difference(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a - b).mean())
