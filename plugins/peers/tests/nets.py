"""Small workloads whose models are cut, and runs of them."""

from __future__ import annotations

from functools import cached_property, partial
from typing import ClassVar

import torch
from torch import nn

from harness import Trace, devices
from harness.parallelizers.serial import SerialRun
from harness.testing import run_job
from harness.testing.chain import WIDTH, Chain

CLASSES, SEED = 3, 5
Data = tuple[torch.Tensor, torch.Tensor]


class Images(Chain):
    """Convolutions with batch normalization, on images that come as rows of pixels."""

    name: ClassVar[str] = "images"

    def model(self) -> nn.Module:
        convolutions = [nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU()]
        return nn.Sequential(nn.Unflatten(1, (1, 4, 4)), *convolutions, nn.Flatten(), nn.Linear(64, CLASSES))

    @cached_property
    def data(self) -> Data:
        random = torch.Generator().manual_seed(3)
        inputs = torch.randn(self.samples, 16, generator=random)
        return inputs, inputs[:, :CLASSES].argmax(1)


class Text(Chain):
    """A recurrent model: whole numbers in, and a target for each place of a sequence."""

    name: ClassVar[str] = "text"

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Embedding(CLASSES, WIDTH), Transposed(), nn.Conv1d(WIDTH, CLASSES, 1))

    @cached_property
    def data(self) -> Data:
        random = torch.Generator().manual_seed(3)
        tokens = torch.randint(CLASSES, (self.samples, 7), generator=random)
        return tokens[:, :-1], tokens[:, 1:]


class Transposed(nn.Module):
    """Places after channels: a view, in another order than memory's."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.transpose(1, 2)


class Shortcut(nn.Module):
    """Two dense layers and a shortcut over the second."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, WIDTH)
        self.second = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        return torch.add(self.second(x), x)


class Skipping(Chain):
    """A model that some cuts would break."""

    name: ClassVar[str] = "skipping"

    def model(self) -> nn.Module:
        return Shortcut()


serial = partial(run_job, SerialRun(), seed=SEED)
run = partial(run_job, device=devices.Processes(), seed=SEED)


def losses(trace: Trace) -> dict[int, float]:
    values = trace.values("loss")
    return dict(zip(values.step.tolist(), values.value.tolist(), strict=True))
