"""What ingest and queries ask of a network; ``cheap`` and ``expensive`` ones are classes elsewhere that fit these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness_focus.video.reading import Image

# Crops that a network gets at once: what a cheap one, whoever uses it, and an expensive one are fastest with on a core.
CHEAP_BATCH, EXPENSIVE_BATCH = 64, 16
OTHER = "OTHER"  # what is none of a specialised network's classes (OSDI 2018, section 4.3)


def batches(crops: Sequence[Image], size: int = CHEAP_BATCH) -> Iterator[Sequence[Image]]:
    """Crops as a network gets them."""
    yield from (crops[start : start + size] for start in range(0, len(crops), size))


def labelled(crops: Sequence[Image], expert: ExpensiveNetwork) -> list[str]:
    """What an expensive network says of any number of crops."""
    return [label for batch in batches(crops, EXPENSIVE_BATCH) for label in expert(batch)]


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
