"""Small workloads, and what came of them."""

from __future__ import annotations

import numpy as np

from harness import Trace
from harness_orion.workloads import BoostedTrees, MfAdagrad, MfSgd

SMALL = {"ratings": "power-law", "count": 3000, "users": 120, "items": 60, "exponent": 0.3}
SGD = MfSgd(**SMALL, rank=8)
ADAGRAD = MfAdagrad(**SMALL, rank=12)


class FewTrees(BoostedTrees):
    """Trees on a few samples made up."""

    def prepare(self) -> None:
        """Nothing to fetch."""

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Two of the features decide."""
        bins = np.random.default_rng(5).integers(0, 6, (7, 300))
        return bins, np.where(bins[2] + bins[4] > 5, 1.0, -1.0)


def losses(trace: Trace) -> list[float]:
    """The loss, evaluation by evaluation."""
    found: list[float] = trace.values("loss").value.tolist()
    return found
