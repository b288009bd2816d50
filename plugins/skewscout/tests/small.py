"""A small workload for tests: two clusters of labels that a tiny net tells apart, without any download."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar, Literal

import torch
from torch import nn

from harness import TrainingWorkload


class Small(TrainingWorkload):
    """Ten Gaussian clusters in eight dimensions."""

    name: ClassVar[str] = "small"

    batch_size: int = 20
    partitions: int = 5
    rate: float = 0.05
    normalization: Literal["none", "batch", "group"] = "none"
    doubles: bool = False

    def model(self) -> nn.Module:
        norm = {"none": nn.Identity, "batch": lambda: nn.BatchNorm1d(16), "group": lambda: nn.GroupNorm(2, 16)}
        model = nn.Sequential(nn.Linear(8, 16), norm[self.normalization](), nn.ReLU(), nn.Linear(16, 10))
        return model.double() if self.doubles else model

    def train_set(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self._sets[0]

    def test_set(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self._sets[1]

    @cached_property
    def _sets(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        generator = torch.Generator().manual_seed(7)
        centres = torch.randn(10, 8, generator=generator, dtype=torch.float64)
        found = []
        for count in (1000, 300):
            labels = torch.randint(10, (count,), generator=generator)
            points = centres[labels] + 0.5 * torch.randn(count, 8, generator=generator, dtype=torch.float64)
            found.append((points if self.doubles else points.float(), labels))
        return found
