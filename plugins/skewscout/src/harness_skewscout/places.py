"""One partition's data: its own minibatches, in its own random order, pass after pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


class Place:
    """Samples of the training set, given as indices into it, that never leave this partition."""

    def __init__(self, samples: Indices, batch: int, rng: np.random.Generator) -> None:
        self._samples = samples
        self._batch = batch
        self._rng, self._drawing = rng, rng.spawn(1)[0]
        self._left = samples[:0]

    def minibatch(self) -> Indices:
        """The next one; a pass that leaves less than a minibatch is followed by a fresh one."""
        if len(self._left) < self._batch:
            self._left = self._rng.permutation(self._samples)
        batch, self._left = self._left[: self._batch], self._left[self._batch :]
        return batch

    def sample(self, count: int) -> Indices:
        """Some samples, or all where there are no more; the minibatches are not disturbed."""
        return self._drawing.choice(self._samples, min(count, len(self._samples)), replace=False)
