"""A scene without its people: the picture, noise and light of a real video of a fixed camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness_focus.video.reading import Video

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from harness_focus.video.reading import Image

EVERY, KEPT = 8, 64  # pictures between two that are kept, and how many
NOISE = 12  # levels: what differs more from the scene is something that moves


@dataclass(frozen=True, eq=False)
class Background:
    """The scene, (height, width, RGB), and what single pictures add to it: (pictures, height, width, RGB)."""

    scene: NDArray[np.float32]
    noise: NDArray[np.float32]

    @classmethod
    def of(cls, video: Path, width: int, height: int) -> Background:
        """Take the median of a video's pictures for the scene, and small differences from it for noise and light."""
        pictures = _pictures(video, width, height).astype(np.float32)
        scene = np.median(pictures, axis=0).astype(np.float32)
        noise = pictures - scene
        noise[np.abs(noise).max(axis=3) > NOISE] = 0
        return cls(scene, noise)

    def picture(self, number: int, light: float) -> Image:
        """One picture of the scene, its light scaled."""
        return np.asarray(np.clip((self.scene + self.noise[number % len(self.noise)]) * light, 0, 255), dtype=np.uint8)


def _pictures(video: Path, width: int, height: int) -> Image:
    import cv2

    kept = []
    for frame in Video(str(video)).frames():
        if frame.number % EVERY == 0:
            kept.append(cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_AREA))
        if len(kept) == KEPT:
            break
    return np.asarray(kept, dtype=np.uint8)
