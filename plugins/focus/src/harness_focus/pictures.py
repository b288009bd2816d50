"""Pictures of objects as they are kept: PNG, so that the expensive network sees what ingest saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from harness_focus.video import Image


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
