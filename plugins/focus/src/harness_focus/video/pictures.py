"""Pictures of objects: PNG to keep, so that the expensive network sees what ingest saw; small JPEGs to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from harness_focus.video.reading import Image

LARGEST, QUALITY = 192, 85  # a thumbnail's longer side in pixels, and how well JPEG keeps it


def encode(image: Image) -> bytes:
    """An RGB image as PNG."""
    import cv2

    return cv2.imencode(".png", image[:, :, ::-1])[1].tobytes()


def decode(png: bytes) -> Image:
    """The RGB image in a PNG."""
    import cv2

    found = cv2.imdecode(np.frombuffer(png, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return np.asarray(found[:, :, ::-1], dtype=np.uint8)


def thumbnail(png: bytes) -> bytes:
    """The image in a PNG as a JPEG that is no larger than it need be."""
    import cv2

    image = decode(png)
    scale = min(LARGEST / max(image.shape[:2]), 1.0)
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    return cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
