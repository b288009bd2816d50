"""Models with their gradient tables, one kind for each layout of points, advanced by compiled loops.

A learner decides which points to visit, a state takes the steps: one compiled call for all the steps
of an arrival. ``plain`` states take SGD steps, ``corrected`` ones variance-reduced steps.
"""

from __future__ import annotations

from typing import Protocol

from harness_strsaga.kernels.compiled import Floats, Indices
from harness_strsaga.kernels.dense import DenseState
from harness_strsaga.kernels.factorization import FactorModel, FactorState
from harness_strsaga.kernels.lazy import SparseState
from harness_strsaga.kernels.schedule import Plan
from harness_strsaga.kernels.sparse import SparseModel
from harness_strsaga.stream import Dense, Sparse, Stream

__all__ = ["Corrected", "Plain", "Plan", "corrected", "plain"]


class Plain(Protocol):
    """A model that takes SGD steps."""

    @property
    def weights(self) -> Floats:
        """A copy of the model, flat, every lazy update applied."""

    def sgd(self, order: Indices, rates: Floats) -> None:
        """Visit the points in this order with these step sizes."""


class Corrected(Protocol):
    """A model that takes steps corrected by stored gradients (SAGA), or by those of an anchor (SVRG)."""

    alpha: Floats

    @property
    def weights(self) -> Floats:
        """A copy of the model, flat, every lazy update applied."""

    @property
    def G(self) -> Floats:  # noqa: N802
        """The sum of the stored gradients."""

    def saga(self, plan: Plan) -> None:
        """Take SAGA steps."""

    def anchor(self) -> None:
        """Make the present model the anchor, with none of its gradients summed yet."""

    def anchor_sum(self, order: Indices) -> None:
        """Add the anchor's gradients at these points to G."""

    def svrg(self, plan: Plan) -> None:
        """Take SVRG steps; the plan's sizes say how many gradients G sums."""


def plain(stream: Stream, seed: int) -> Plain:
    """A fresh model for SGD; the seed matters to factorizations alone."""
    points = stream.points
    if isinstance(points, Dense):
        return DenseState(stream, points)
    return SparseModel(stream, points) if isinstance(points, Sparse) else FactorModel(stream, points, seed)


def corrected(stream: Stream, seed: int) -> Corrected:
    """A fresh model for variance-reduced steps; the seed matters to factorizations alone."""
    points = stream.points
    if isinstance(points, Dense):
        return DenseState(stream, points)
    return SparseState(stream, points) if isinstance(points, Sparse) else FactorState(stream, points, seed)
