"""Income above 50,000 dollars, from the 1994 census: a small multilayer perceptron on real tabular data."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveInt

from harness.workloads.training import TrainingWorkload

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

TEST_SHARE = 0.2
Group = Literal["workclass", "education", "marital-status", "occupation", "relationship", "native-country"]


class CensusMlp(TrainingWorkload):
    """Binary classification of the Adult census data (one-hot features) with one hidden layer."""

    name: ClassVar[str] = "census-mlp"

    hidden: PositiveInt = Field(64, description="width of the hidden layer")
    grouped_by: Group = Field("occupation", description="what a split by field goes by")

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

    def field(self) -> NDArray[np.int32]:
        """Each person's occupation, or what else they are grouped by."""
        from harness.datasets import adult
        from harness.datasets.census import CATEGORIES

        groups: NDArray[np.int32] = adult().columns[: len(self.train_set()[1]), CATEGORIES.index(self.grouped_by)]
        return groups

    @cached_property
    def _split(self) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
        import torch

        from harness.datasets import adult_features

        features, labels = adult_features()
        inputs = torch.from_numpy(features).float()
        targets = torch.from_numpy(labels > 0).long()
        cut = int(len(targets) * (1 - TEST_SHARE))
        return (inputs[:cut], targets[:cut]), (inputs[cut:], targets[cut:])
