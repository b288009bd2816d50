"""Choosing a step size: the best of a grid, on streams whose seeds are never reported.

The same grid for every method, around the workload's ``paper_rate``. What is best depends on the
method, the workload and nothing else, so that it is worked out once and kept on disk.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np

from harness import cached
from harness_strsaga.evaluation import Evaluator
from harness_strsaga.workload import StreamWorkload

if TYPE_CHECKING:
    from harness_strsaga.parallelizers import SteppedParallelizer

GRID = 2.0 ** np.arange(-6, 7)
SEEDS = (900_001, 900_002)
EVALUATIONS = 10


def tuned_rate(method: SteppedParallelizer, workload: StreamWorkload) -> float:
    """The step size of the grid with the least mean log of the suboptimality (of the objective, if not convex)."""
    parameters = {key: value for key, value in method.parameters().items() if key != "rate"}
    about = [method.name, parameters, workload.name, workload.parameters(), GRID.tolist(), SEEDS, EVALUATIONS]
    found = cached(f"strsaga-rate 1 {json.dumps(about, sort_keys=True)}", lambda: {"rate": _search(method, workload)})
    return float(found["rate"])


def _search(method: SteppedParallelizer, workload: StreamWorkload) -> np.ndarray[tuple[()], np.dtype[np.float64]]:
    rates = [float(factor * workload.paper_rate) for factor in GRID if factor * workload.paper_rate * workload.mu < 1]
    scores = [np.mean([score(method, workload, rate, seed) for seed in SEEDS]) for rate in rates]
    return np.array(rates[int(np.argmin(scores))])


def score(method: SteppedParallelizer, workload: StreamWorkload, rate: float, seed: int) -> float:
    """Mean log of how far the model was from the best, over the evaluated arrivals; infinite where it diverged."""
    stream = workload.stream(seed)
    judge = Evaluator(stream, min(EVALUATIONS, workload.evaluations))
    learner = method.learner(stream, rate=rate, rho=workload.rho(stream), seed=seed)
    logs = []
    for step, arrived in enumerate(stream.arrived.tolist()):
        if method.offline and step not in judge.steps:
            learner.skip()
            continue
        learner.advance(arrived)
        if step in judge.steps:
            with np.errstate(all="ignore"):
                logs.append(_log(judge.distance(learner.weights, step)))
    return math.fsum(logs) / len(logs)


def _log(distance: float) -> float:
    return math.log(max(distance, 1e-12)) if math.isfinite(distance) else math.inf
