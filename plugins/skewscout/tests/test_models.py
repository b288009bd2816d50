"""Gradients of rows, batched or one after another, against plain torch on each row's own model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small import Small
from torch import nn

from harness_skewscout.models import Models

ROWS, BATCH = 3, 6


class Last(nn.Module):
    """An LSTM over the eight features as a sequence, and a score of its last output."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 5, batch_first=True)
        self.dense = nn.Linear(5, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dense(self.lstm(x[..., None])[0][:, -1])


class Sequence(Small):
    """The same clusters, read feature by feature."""

    def model(self) -> nn.Module:
        return Last().double()


@pytest.mark.parametrize(
    "workload",
    [
        Small(doubles=True, weight_decay=0.1),
        Small(doubles=True, normalization="batch"),
        Small(doubles=True, normalization="group"),
        Sequence(doubles=True),
    ],
    ids=["plain", "batch normalization", "group normalization", "recurrent"],
)
@pytest.mark.parametrize("rows", [1, ROWS])
def test_gradients_are_those_of_each_rows_own_model(workload: Small, rows: int) -> None:
    models = Models(workload, 0, rows)
    models.weights.add_(torch.randn(models.weights.shape, generator=torch.Generator().manual_seed(1)), alpha=0.1)
    inputs, targets = (tensor[: rows * BATCH].unflatten(0, (rows, BATCH)) for tensor in workload.train_set())
    before = models.weights.clone()
    gradients, losses = models.gradients(inputs, targets)
    assert torch.equal(models.weights, before)
    assert not gradients.requires_grad
    assert not losses.requires_grad
    for row in range(rows):
        expected, loss, buffers = _plainly(workload, before[row], inputs[row], targets[row])
        torch.testing.assert_close(gradients[row], expected)
        torch.testing.assert_close(losses[row], loss)
        for name, buffer in buffers.items():
            torch.testing.assert_close(models.buffers[name][row], buffer)


def _plainly(workload: Small, weights: torch.Tensor, inputs: torch.Tensor, targets: torch.Tensor) -> tuple[Any, ...]:
    model = workload.initial_model(0)
    nn.utils.vector_to_parameters(weights, model.parameters())
    loss = workload.loss(model(inputs), targets)
    found = torch.autograd.grad(loss, list(model.parameters()))
    gradient = torch.cat([part.flatten() for part in found]) + workload.weight_decay * weights
    return gradient, loss.detach(), dict(model.named_buffers())


def test_rows_are_alike_until_one_differs_in_a_weight_or_a_buffer() -> None:
    models = Models(Small(normalization="batch"), 0, ROWS)
    assert models.alike()
    models.buffers["1.running_mean"][2, 0] += 1e-6
    assert not models.alike()
    models = Models(Small(), 0, ROWS)
    models.weights[1, 0] += 1e-6
    assert not models.alike()
    assert Models(Small(), 0, 1).alike()
