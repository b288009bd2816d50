"""Watching a stream as it is indexed: whether it still shows what its network was tuned to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness_focus.footage.objects import tracked
from harness_focus.ingest.drift import Drift, drift, kinds

if TYPE_CHECKING:
    from harness_focus.index.reading import Index
    from harness_focus.ingest.drift import Counts


class Watch:
    """Compares each window of an index with what was shown before; classes are those of clusters, as ingest has them.

    ``before`` counts the tracks of each class, ``window`` is in seconds.
    """

    def __init__(self, index: Index, before: Counts, *, window: float) -> None:
        self._index, self._before, self._window = index, before, window
        self._since = index.position().seconds

    def look(self, seconds: float) -> Drift | None:
        """What a window says that ends by now; None where none does."""
        if seconds - self._since < self._window:
            return None
        since, self._since = self._since, seconds
        return drift(self._before, self._tracks(since, seconds), seed=int(seconds))

    def _tracks(self, since: float, until: float) -> Counts:
        rows = np.array(self._index.likeliest(since, until), dtype=np.int64).reshape(-1, 6)
        return kinds(rows[:, 5], tracked(rows[:, 0], rows[:, 1:5]), len(self._before))
