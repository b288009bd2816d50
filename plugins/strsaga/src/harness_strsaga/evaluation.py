"""Judging a model as the stream goes by: held-out risk, objective, and distance to the best there is."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness import TraceWriter
from harness_strsaga.minimiser import minima
from harness_strsaga.objective import Objective
from harness_strsaga.stream import Stream

if TYPE_CHECKING:
    from harness_strsaga.workload import StreamWorkload


class Evaluator:
    """Knows a stream's minima at some of its time steps: evenly spread, the last one among them.

    ``steps`` leaves out those before the first point. A factorization is not convex: its minimum is
    unknown, so that its ``suboptimality`` is not recorded, its ``objective`` is.
    """

    def __init__(self, stream: Stream, evaluations: int) -> None:
        total = len(stream.arrivals)
        spread = [total * (k + 1) // evaluations - 1 for k in range(evaluations)]
        self.stream = stream
        self.arrived = stream.arrived
        self.steps = tuple(step for step in sorted(set(spread)) if step >= 0 and self.arrived[step])
        self.held_out = Objective(stream.held_out, stream.held_out_targets, stream.loss)

    @cached_property
    def minima(self) -> dict[int, float]:
        """The least value of the objective over what has arrived, by time step."""
        if not self.held_out.convex:
            return {}
        found = minima(self.stream, [int(self.arrived[step]) for step in self.steps])
        return dict(zip(self.steps, found["values"].tolist(), strict=True))

    def prepare(self) -> None:
        """Work the minima out, or read them from disk."""
        self.minima  # noqa: B018

    def distance(self, weights: NDArray[np.float64], step: int) -> float:
        """How far a model's objective lies above its minimum; above zero, where that is not known."""
        return self._objective(weights, step) - self.minima.get(step, 0.0)

    def record(self, trace: TraceWriter, weights: NDArray[np.float64], step: int) -> None:
        """Record ``risk``, ``objective`` and ``suboptimality`` of a model after one of ``steps``.

        Call it inside a span ``evaluate``.
        """
        objective = self._objective(weights, step)
        trace.value("risk", self.held_out.mean_loss(weights), step=step)
        trace.value("objective", objective, step=step)
        if step in self.minima:
            trace.value("suboptimality", objective - self.minima[step], step=step)

    def _objective(self, weights: NDArray[np.float64], step: int) -> float:
        return Objective.over(self.stream, int(self.arrived[step])).value(weights)


@lru_cache(maxsize=4)
def evaluator(workload: StreamWorkload, seed: int) -> Evaluator:
    """The evaluator of a workload's stream, made once."""
    return Evaluator(workload.stream(seed), workload.evaluations)
