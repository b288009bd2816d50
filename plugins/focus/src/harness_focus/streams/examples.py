"""Pictures to train and measure the expensive network with: single cut-outs as they look in a composed stream."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from harness_focus.streams.background import Background
from harness_focus.streams.composing import HEIGHT, WIDTH, blend, posed
from harness_focus.streams.cutouts import KINDS, Cutout
from harness_focus.video.motion import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_focus.video.reading import Image

QUALITY = 35, 90  # of JPEG, which blurs as a video's encoder does
SEEN = 0.35  # the least share of a thing that the picture's border leaves
COVERED = 0.1  # how often something else passes in front


class Studio:
    """Places cut-outs before a background and cuts them out again, a little beside where they are."""

    def __init__(self, cutouts: Sequence[Cutout], background: Path, *, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._scene = Background.of(background, WIDTH, HEIGHT)
        self._images = [cutout.image() for cutout in cutouts]
        kinds = np.array([KINDS.index(cutout.kind) for cutout in cutouts])
        self._of_kind = [np.flatnonzero(kinds == kind) for kind in range(len(KINDS))]

    def pictures(self, count: int) -> tuple[list[Image], NDArray[np.int64]]:
        """So many crops, and the kind that each shows; every kind equally often."""
        kinds = self._rng.permutation(np.arange(count) % len(KINDS)).astype(np.int64)
        return [self._picture(int(kind)) for kind in kinds], kinds

    def _picture(self, kind: int) -> Image:
        rng = self._rng
        picture = self._scene.picture(int(rng.integers(1 << 30)), float(rng.uniform(0.92, 1.08)))
        sprite = self._sprite(kind)
        x, y = self._place(sprite)
        blend(picture, sprite, x, y, float(rng.uniform(0.75, 1.2)))
        if rng.random() < COVERED:
            other = self._sprite(int(rng.integers(len(KINDS))))
            aside = (sprite.shape[1] + other.shape[1]) * float(rng.uniform(0.32, 0.5))
            blend(picture, other, round(x + aside * rng.choice([-1, 1])), y, float(rng.uniform(0.75, 1.2)))
        return compressed(self._box(sprite, x, y).of(picture), int(rng.integers(*QUALITY)))

    def _sprite(self, kind: int) -> NDArray[np.float32]:
        rng = self._rng
        image = self._images[int(rng.choice(self._of_kind[kind]))]
        wide = float(rng.uniform(0.45, 1) * rng.choice([-1, 1])) if rng.random() < 0.4 else float(rng.choice([-1, 1]))
        side = float(rng.uniform(0.22, 0.38)) * HEIGHT
        return posed(image, side=side, wide=wide, lean=float(rng.uniform(-14, 14)))

    def _place(self, sprite: NDArray[np.float32]) -> tuple[int, int]:
        """A centre; one time in five at the left or right border, with a part outside."""
        rng = self._rng
        half = sprite.shape[1] / 2
        x = rng.uniform(half, WIDTH - half)
        if rng.random() < 0.2:
            inside = rng.uniform(SEEN, 1) * 2 * half - half
            x = inside if rng.random() < 0.5 else WIDTH - inside
        return round(x), round(HEIGHT * rng.uniform(0.25, 0.8))

    def _box(self, sprite: NDArray[np.float32], x: int, y: int) -> Box:
        """What background subtraction would find: the opaque part, a few pixels wrong, with its margin."""
        rows, columns = (np.flatnonzero((sprite[:, :, 3] > 60).any(axis)) for axis in (1, 0))
        left, top = x - sprite.shape[1] // 2, y - sprite.shape[0] // 2
        edges = np.array([left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1])
        edges += np.round(self._rng.normal(0, 0.03, 4) * max(sprite.shape[:2])).astype(int)
        edges = np.clip(edges, 0, [WIDTH - 8, HEIGHT - 8, WIDTH, HEIGHT])
        wide, high = max(int(edges[2] - edges[0]), 8), max(int(edges[3] - edges[1]), 8)
        return Box(int(edges[0]), int(edges[1]), wide, high).grown(0.15, WIDTH, HEIGHT)


def compressed(image: Image, quality: int) -> Image:
    """What a lossy encoder leaves of an image."""
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)
