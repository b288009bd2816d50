"""What ingest and queries ask of a network; ``cheap`` and ``expensive`` ones are classes elsewhere that fit these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness_focus.video.reading import Image

OTHER = "OTHER"  # what is none of a specialised network's classes (OSDI 2018, section 4.3)


class CheapNetwork(Protocol):
    """A network that runs on every object at ingest; ``identity`` names it by content."""

    identity: str
    classes: tuple[str, ...]

    def __call__(self, crops: Sequence[Image]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Features, (crops, features), and probabilities, (crops, classes)."""


class ExpensiveNetwork(Protocol):
    """The network whose labels are the truth; ``identity`` names it by content."""

    identity: str
    classes: tuple[str, ...]

    def __call__(self, crops: Sequence[Image]) -> list[str]:
        """A label for each crop."""
