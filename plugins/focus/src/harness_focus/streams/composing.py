"""Composed streams: the background of a real video, and photographs of things that cross it, as a video file.

They stand in for the hours of street video that the paper has and nobody may pass on. Everything after them is as it
would be for any file: decoding, background subtraction, and the networks see pictures alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np

from harness_focus.streams.background import Background
from harness_focus.streams.cutouts import ALL
from harness_focus.streams.scripts import Crossing, script

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_focus.video.reading import Image

WIDTH, HEIGHT = 480, 360
RATE = 10  # frames a second
SECONDS_OF_QUIET = 3.0  # at the start, in which background subtraction learns the scene
LIGHT = 0.06  # how far the light of the day swings around its mean
DAY = 1800.0  # seconds of one swing
BITS = 2_000_000  # a second, for the encoder


@dataclass(frozen=True)
class Composition:
    """What determines a stream: its length, how busy it is, and the seed."""

    seconds: float
    pause: float
    seed: int
    version: int = 2

    @property
    def name(self) -> str:
        """A file name that tells all of it."""
        return f"composed-{self.seconds:g}s-{self.pause:g}p-{self.seed}-v{self.version}.mp4"


def compose(composition: Composition, background: Path, target: Path) -> None:
    """Write the stream as an MPEG-4 file."""
    with av.open(str(target), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(RATE))
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = WIDTH, HEIGHT, "yuv420p", BITS
        stream.thread_count = 1  # so that the same stream gives the same file
        for picture in pictures(composition, background):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def pictures(composition: Composition, background: Path) -> Iterator[Image]:
    """The stream's pictures, one after another."""
    rng = np.random.default_rng([composition.seed, composition.version])
    lasting = composition.seconds - SECONDS_OF_QUIET
    crossings = script(ALL, seconds=lasting, pause=composition.pause, rng=rng)
    scene, sprites = Background.of(background, WIDTH, HEIGHT), Sprites()
    for number in range(round(composition.seconds * RATE)):
        seconds = number / RATE
        light = 1 + LIGHT * math.sin(2 * math.pi * seconds / DAY)
        picture = scene.picture(int(rng.integers(1 << 30)), light)
        for crossing in _present(crossings, seconds - SECONDS_OF_QUIET):
            sprites.paste(picture, crossing, seconds - SECONDS_OF_QUIET, light)
        yield picture


def _present(crossings: Sequence[Crossing], seconds: float) -> list[Crossing]:
    return [crossing for crossing in crossings if 0 <= crossing.done(seconds) <= 1]


class Sprites:
    """The cut-outs as they are pasted into pictures."""

    def __init__(self) -> None:
        self._images: dict[int, NDArray[np.uint8]] = {}

    def paste(self, picture: Image, crossing: Crossing, seconds: float, light: float) -> None:
        """Draw a crossing thing as it stands at a time, over what is there."""
        done = crossing.done(seconds)
        height, lean, wide = crossing.pose(done)
        sprite = posed(self._image(crossing.cutout), side=crossing.size * HEIGHT, wide=wide, lean=lean)
        way, along = WIDTH + sprite.shape[1], crossing.along(done)
        centre = way * (1 - along if crossing.leftward else along) - sprite.shape[1] / 2
        blend(picture, sprite, round(centre), round(height * HEIGHT), light * crossing.light)

    def _image(self, number: int) -> NDArray[np.uint8]:
        if number not in self._images:
            self._images[number] = ALL[number].image()
        return self._images[number]


def posed(image: NDArray[np.uint8], *, side: float, wide: float, lean: float) -> NDArray[np.float32]:
    """A cut-out at a size (of its longer side), turned and leaning; opacity goes into the colours."""
    scale = side / max(image.shape[:2])
    size = max(round(image.shape[1] * scale * abs(wide)), 4), max(round(image.shape[0] * scale), 4)
    opaque = image.astype(np.float32)
    opaque[:, :, :3] *= opaque[:, :, 3:] / 255
    small = cv2.resize(opaque, size, interpolation=cv2.INTER_AREA)
    small = small[:, ::-1] if wide < 0 else small
    room = round(0.12 * max(size))
    small = cv2.copyMakeBorder(small, room, room, room, room, cv2.BORDER_CONSTANT)
    centre = small.shape[1] / 2, small.shape[0] / 2
    turn = cv2.getRotationMatrix2D(centre, lean, 1.0)
    return np.asarray(cv2.warpAffine(small, turn, small.shape[1::-1]), dtype=np.float32)


def blend(picture: Image, sprite: NDArray[np.float32], x: int, y: int, light: float) -> None:
    """Draw a posed cut-out with its centre at (x, y), as far as it lies inside the picture."""
    high, wide = sprite.shape[:2]
    left, top = x - wide // 2, y - high // 2
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + wide, picture.shape[1]), min(top + high, picture.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    part = sprite[y0 - top : y1 - top, x0 - left : x1 - left]
    under = picture[y0:y1, x0:x1]
    under[:] = np.clip(part[:, :, :3] * light + under * (1 - part[:, :, 3:] / 255), 0, 255)
