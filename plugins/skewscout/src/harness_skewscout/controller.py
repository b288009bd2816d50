"""SkewScout: communicate as much as the skew of the labels makes necessary (Hsieh et al., ICML 2020, section 6).

Every travel period each model visits another partition. The accuracy loss is how much better a model does on
a sample of its own training data than on a sample of its host's, the mean over models: the more the
partitions' data differ, and the less the models have told each other, the larger it is. The setting of the
algorithm then moves so as to minimise

    lambda_AL max(0, AL(theta) - sigma_AL) + lambda_C C(theta) / CM

with C the bytes published a minibatch and CM those of a full exchange.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harness_skewscout.exchange import VALUE_BYTES, Exchange

if TYPE_CHECKING:
    from harness import TraceWriter
    from harness_skewscout.algorithms import Rule
    from harness_skewscout.models import Models
    from harness_skewscout.places import Place
    from harness_skewscout.search import Search

Data = tuple[torch.Tensor, torch.Tensor]


@dataclass
class Controller:
    """Turns ``rule.setting`` through ``grid``, one travel period after another."""

    rule: Rule
    search: Search
    grid: Sequence[float]
    period: int
    samples: int
    tolerance: float
    weight_of_loss: float
    weight_of_bytes: float
    _before: int = 0
    _visits: int = 0

    def due(self, steps: int) -> bool:
        """Whether models travel after so many steps: one before a period is full, when averages are the longest ago."""
        return (steps + 1) % self.period == 0

    def cost(self, step_cost: float | None, *, minibatch: int) -> float | None:
        """Seconds of a travel where a step takes ``step_cost``: two forward passes, each a third of a step's work."""
        return None if step_cost is None else step_cost * 2 * self.samples / (3 * minibatch)

    def travel(self, models: Models, places: Sequence[Place], data: Data) -> float:
        """Let the models visit; the accuracy loss, the mean over all of them."""
        exchange = self.rule.exchange
        shift = 1 + self._visits % max(1, exchange.partitions - 1)
        self._visits += 1
        samples = [torch.from_numpy(place.sample(self.samples)) for place in places]
        at_home = _accuracies(models, models.weights, samples, data)
        # A guest uses its host's statistics of batch normalization: those of its own did not travel.
        abroad = _accuracies(models, exchange.visit(models.weights, shift), samples, data)
        both = torch.tensor([at_home, abroad], dtype=torch.float64).mean(1)
        home, away = exchange.gather(both.repeat(len(places), 1)).mean(0).tolist()
        return float(home - away)

    def adapt(self, loss: float, steps: int, trace: TraceWriter) -> None:
        """Move the setting, and record why."""
        exchange = self.rule.exchange
        rate = self._bytes_a_step(exchange) / (VALUE_BYTES * self.rule.velocity.shape[1] * exchange.partitions)
        objective = self.weight_of_loss * max(0.0, loss - self.tolerance) + self.weight_of_bytes * rate
        chosen = self.search.next(objective=objective, too_costly=loss > self.tolerance)
        self.rule.setting = self.grid[chosen]
        if exchange.rows[0] == 0:  # all workers come to the same decision
            trace.value("accuracy_loss", loss, step=steps)
            trace.value("communication", rate, step=steps)
            trace.value("objective", objective, step=steps)
            trace.value("setting", self.rule.setting, step=steps)

    def _bytes_a_step(self, exchange: Exchange) -> float:
        mine = torch.full(
            (len(exchange.rows), 1), (exchange.published - self._before) / len(exchange.rows), dtype=torch.float64
        )
        self._before = exchange.published
        return float(exchange.gather(mine).sum()) / self.period


def _accuracies(models: Models, weights: torch.Tensor, samples: Sequence[torch.Tensor], data: Data) -> list[float]:
    inputs, targets = data
    found = []
    for row, chosen in enumerate(samples):
        with models.loaded(weights[row], row) as model, torch.no_grad():
            found.append(float((model(inputs[chosen]).argmax(1) == targets[chosen]).float().mean()))
    return found
