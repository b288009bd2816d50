"""Income above 50,000 dollars, from the 1994 census: a small multilayer perceptron on real tabular data."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PositiveInt

from harness.workloads.training import TrainingWorkload

if TYPE_CHECKING:
    import torch

TEST_SHARE = 0.2


class CensusMlp(TrainingWorkload):
    """Binary classification of the Adult census data (one-hot features) with one hidden layer."""

    name: ClassVar[str] = "census-mlp"

    hidden: PositiveInt = Field(64, description="width of the hidden layer")

    def model(self) -> torch.nn.Module:
        """Two dense layers."""
        from torch import nn

        features = self.train_set()[0].shape[1]
        return nn.Sequential(nn.Linear(features, self.hidden), nn.ReLU(), nn.Linear(self.hidden, 2))

    def train_set(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Four fifths of the people: features (n, d) of 0 and 1, targets 0 or 1."""
        return self._split[0]

    def test_set(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The last fifth, in the file's own order, whatever the seed."""
        return self._split[1]

    @cached_property
    def _split(self) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
        import torch

        from harness.datasets import adult_features

        features, labels = adult_features()
        inputs = torch.from_numpy(features).float()
        targets = torch.from_numpy(labels > 0).long()
        cut = int(len(targets) * (1 - TEST_SHARE))
        return (inputs[:cut], targets[:cut]), (inputs[cut:], targets[cut:])
