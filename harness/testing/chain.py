"""A training workload for tests of parallelizers: small, without any download, and trained in milliseconds."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from harness.workloads.training import TrainingWorkload

if TYPE_CHECKING:
    from torch import Tensor

LAYERS, WIDTH, SEED = 6, 5, 3


class Chain(TrainingWorkload):
    """Dense layers on normal random numbers; the class is the place of the largest."""

    name: ClassVar[str] = "chain"
    samples: int = 48
    batch_size: int = 8
    evaluations: float = 6.0
    rate: float = 0.2
    weight_decay: float = 0.01

    def model(self) -> nn.Module:
        """Six layers and as many activations: a list of twelve that may be cut anywhere."""
        dense = [(nn.Linear(WIDTH, WIDTH), nn.Tanh()) for _ in range(LAYERS)]
        return nn.Sequential(*(layer for pair in dense for layer in pair))

    def train_set(self) -> tuple[Tensor, Tensor]:
        """Numbers, (samples, 5), and classes, (samples,)."""
        return self.data

    def test_set(self) -> tuple[Tensor, Tensor]:
        """The same again."""
        return self.data

    @cached_property
    def data(self) -> tuple[Tensor, Tensor]:
        """What is learned; a subclass may have other data."""
        inputs = torch.randn(self.samples, WIDTH, generator=torch.Generator().manual_seed(SEED))
        return inputs, inputs.abs().argmax(1)
