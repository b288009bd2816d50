"""The models of a worker's partitions, as rows of one matrix of weights.

Several rows are one batched model: ``torch.func`` maps the loss of one weight vector over them, which
turns their convolutions into grouped ones. A single row is the plain model, which is quicker, and rows of recurrent
layers, which ``torch.func`` cannot batch, are plain models one after another. Rows do not touch each other, so that
the gradient of the sum of their losses is all their gradients at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch.func import functional_call, vmap

from harness import TrainingWorkload

Tensors = dict[str, torch.Tensor]


class Models:
    """Equal models to begin with; ``weights`` (rows, parameters) and ``buffers`` (rows, ...) change in place."""

    def __init__(self, workload: TrainingWorkload, seed: int, rows: int, device: str = "cpu") -> None:
        self._workload = workload
        self._model = workload.initial_model(seed, device)
        self._model.requires_grad_(False)
        recurrent = any(isinstance(part, torch.nn.RNNBase) for part in self._model.modules())
        self._batched = rows > 1 and not recurrent
        named = dict(self._model.named_parameters())
        self._shapes = {name: parameter.shape for name, parameter in named.items()}
        self.sizes = [parameter.numel() for parameter in named.values()]
        flat = torch.cat([parameter.flatten() for parameter in named.values()])
        self.weights = flat.repeat(rows, 1)
        self.buffers = {name: buffer.repeat(rows, *(1,) * buffer.dim()) for name, buffer in self._model.named_buffers()}

    def gradients(self, inputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradients (rows, parameters) and losses (rows,) of minibatches (rows, batch, ...); weight decay included."""
        leaves = self.weights.detach().requires_grad_()
        if self._batched:
            # Batch normalization changes its buffers, so they have to be arguments of what is mapped.
            losses = vmap(self._loss, randomness="different")(leaves, self.buffers, inputs, targets)
        else:
            rows = range(len(leaves))
            losses = torch.stack([self._loss(leaves[k], self._row(k), inputs[k], targets[k]) for k in rows])
        (gradients,) = torch.autograd.grad(losses.sum(), leaves)
        decay = self._workload.weight_decay
        return (gradients.add_(self.weights, alpha=decay) if decay else gradients), losses.detach()

    def _loss(
        self, weights: torch.Tensor, buffers: Tensors, inputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        outputs = functional_call(self._model, (self._named(weights), buffers), (inputs,))
        return self._workload.loss(outputs, targets)

    @contextmanager
    def loaded(self, weights: torch.Tensor, row: int) -> Iterator[torch.nn.Module]:
        """A plain model with these weights and the buffers of a row, for evaluation."""
        state = {**self._named(weights), **self._row(row)}
        self._model.load_state_dict(state)
        self._model.eval()
        try:
            yield self._model
        finally:
            self._model.train()

    def refresh(self, row: int, inputs: Iterable[torch.Tensor]) -> None:
        """Recompute a row's running statistics of batch normalization from these minibatches."""
        norms = [part for part in self._model.modules() if isinstance(part, torch.nn.modules.batchnorm._BatchNorm)]
        before = [part.momentum for part in norms]
        self._model.load_state_dict({**self._named(self.weights[row]), **self._row(row)})
        for part in norms:
            part.reset_running_stats()
            part.momentum = None  # the plain mean over the batches
        with torch.no_grad():
            for batch in inputs:
                self._model(batch)
        for part, momentum in zip(norms, before, strict=True):
            part.momentum = momentum
        for name, buffer in self._model.named_buffers():
            self.buffers[name][row] = buffer

    def alike(self) -> bool:
        """Whether all rows are exactly the same model, buffers included."""
        return all(bool((rows == rows[0]).all()) for rows in (self.weights, *self.buffers.values()))

    def statistics(self) -> list[str]:
        """The names of the buffers that averaging makes sense of."""
        return [name for name, buffer in self.buffers.items() if buffer.is_floating_point()]

    def _row(self, row: int) -> Tensors:
        return {name: buffer[row] for name, buffer in self.buffers.items()}

    def _named(self, weights: torch.Tensor) -> Tensors:
        parts = torch.split(weights, self.sizes)
        return {name: part.view(shape) for part, (name, shape) in zip(parts, self._shapes.items(), strict=True)}
