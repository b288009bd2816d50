"""How many minibatches have to be in flight for nothing to wait for a link.

NOAM is as many as keep every worker computing where links take no time (SOSP 2019, section 3.2). On a link
that takes as long as a stage, NOAM minibatches share a round trip that is longer than their computation.
"""

from __future__ import annotations

from math import ceil

from harness_pipedream.predict import Prediction
from harness_pipedream.schedule import noam, warmups

ROUNDING = 1e-9


def paced(prediction: Prediction, depth: int | None = None) -> float:
    """Seconds per minibatch with so many in flight at each input replica; NOAM if ``None``."""
    replicas = [stage.replicas for stage in prediction.plan.stages]
    return prediction.paced([ahead + 1 for ahead in warmups(replicas, depth)])


def hiding_depth(prediction: Prediction) -> int:
    """The fewest minibatches in flight, from NOAM on, at which the slowest stage alone sets the pace.

    Where no number does, since a later stage's warm-up cannot grow, the fewest that get nearest to it.
    """
    least = noam([stage.replicas for stage in prediction.plan.stages])
    one = sum(stage.pass_seconds + stage.update_seconds + stage.link_seconds for stage in prediction.stages)
    most = least + len(prediction.stages) + ceil(one / prediction.seconds if prediction.seconds else 0)
    best = min(paced(prediction, depth) for depth in range(least, most + 1))
    return next(depth for depth in range(least, most + 1) if paced(prediction, depth) <= best * (1 + ROUNDING))
