"""Moving objects: background subtraction, and the boxes of what is left (Zivkovic 2004's mixture model).

Every method that is compared gets the same objects; pictures without motion cost none of them anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness_focus.video.reading import Image

OPEN, CLOSE = (3, 3), (9, 15)  # pixels, wide and high: specks go, a walker's legs and trunk stay together
CHANGE = 0.5  # a box over this share of the picture is a change of light
EDGE = 2  # pixels; nearer to the picture's border than this, more of an object may lie beyond


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels: its left upper corner, and its size."""

    x: int
    y: int
    width: int
    height: int

    @property
    def area(self) -> int:
        """Pixels inside."""
        return self.width * self.height

    def overlap(self, other: Box) -> float:
        """Intersection over union, 0 to 1."""
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        shared = max(width, 0) * max(height, 0)
        return shared / (self.area + other.area - shared)

    def grown(self, margin: float, width: int, height: int) -> Box:
        """With a margin on each side, a share of its size, as far as the picture reaches."""
        dx, dy = round(margin * self.width), round(margin * self.height)
        left, top = max(self.x - dx, 0), max(self.y - dy, 0)
        right, bottom = min(self.x + self.width + dx, width), min(self.y + self.height + dy, height)
        return Box(left, top, right - left, bottom - top)

    def inside(self, width: int, height: int) -> bool:
        """Whether it keeps clear of the border of a picture."""
        right, bottom = self.x + self.width, self.y + self.height
        return min(self.x, self.y, width - right, height - bottom) >= EDGE

    def of(self, image: Image) -> Image:
        """What an image shows inside."""
        return image[self.y : self.y + self.height, self.x : self.x + self.width]


class Motion:
    """Finds what moves, picture after picture.

    ``area`` is the least size of an object in pixels, ``margin`` what is added around it, ``warm_up`` the pictures at
    the start in which the background is still being learned. ``whole`` leaves out what the picture's border cuts.
    """

    def __init__(
        self, *, area: int = 300, margin: float = 0.15, history: int = 500, warm_up: int = 10, whole: bool = False
    ) -> None:
        import cv2

        self._subtractor: Any = cv2.createBackgroundSubtractorMOG2(history=history, detectShadows=False)
        self._open = cv2.getStructuringElement(cv2.MORPH_RECT, OPEN)
        self._close = cv2.getStructuringElement(cv2.MORPH_RECT, CLOSE)
        self.area, self.margin, self.warm_up, self.whole = area, margin, warm_up, whole
        self._seen = 0

    def boxes(self, image: Image) -> list[Box]:
        """The moving objects of the next picture, from the left to the right."""
        import cv2

        mask = self._subtractor.apply(image)
        self._seen += 1
        if self._seen <= self.warm_up:
            return []
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, self._open)
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, self._close)
        height, width = image.shape[:2]
        _, _, found, _ = cv2.connectedComponentsWithStats(mask)
        kept = [Box(*map(int, row[:4])) for row in found[1:] if row[4] > self.area]
        moving = [box.grown(self.margin, width, height) for box in kept if box.area < CHANGE * width * height]
        seen = [box for box in moving if not self.whole or box.inside(width, height)]
        return sorted(seen, key=lambda box: (box.x, box.y))
