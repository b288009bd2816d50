"""One worker's stage: some layers of the model, their weight versions, and what minibatches in flight left here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness_pipedream.models.layers import carries_gradient
from harness_pipedream.running.weights import Weights

if TYPE_CHECKING:
    import torch

    from harness import Communicator
    from harness_pipedream.running.reduction import Reduction


@dataclass
class Flight:
    """What a unit's forward leaves for its backward; with recomputation, random numbers in place of outputs."""

    inputs: tuple[torch.Tensor, ...]
    outputs: tuple[torch.Tensor, ...] = ()
    awaits: int = 0
    randomness: Any = None


class ModelStage:
    """Forward, backward and update of the layers in ``part``, as torch computes them.

    ``source(unit)``, given on the first stage alone, is the model's input; ``loss(output, unit)``, given
    on the last alone, takes the outputs' place.
    """

    def __init__(
        self,
        part: Any,
        optimizer: Callable[[torch.nn.Module], torch.optim.Optimizer],
        *,
        source: Callable[[int], torch.Tensor] | None = None,
        loss: Callable[[torch.Tensor, int], torch.Tensor] | None = None,
        recompute: bool = False,
    ) -> None:
        self.part = part
        self.weights = Weights(part, optimizer)
        self.receives = 0 if source else len(part.inputs)
        self._source = source
        self._loss = loss
        self._recompute = recompute
        self._flights: dict[int, Flight] = {}
        self._reduction: Reduction | None = None

    def forward(self, unit: int, version: int, inputs: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """The outputs of a unit, for the next stage; none from the last."""
        import torch
        from torch.utils.checkpoint import get_device_states

        inputs = (self._source(unit),) if self._source else inputs
        self.weights.install(version)
        leaves = tuple(
            tensor.detach().requires_grad_(carries_gradient(tensor, origin))
            for tensor, origin in zip(inputs, self.part.inputs, strict=True)
        )
        flight = self._flights[unit] = Flight(leaves)
        if self._recompute:
            flight.randomness = torch.get_rng_state(), *get_device_states(*leaves)
            with torch.no_grad():
                outputs = self._run(leaves, unit)
        else:
            outputs = flight.outputs = self._run(leaves, unit)
        if self._loss:
            return ()
        flight.awaits = sum(map(carries_gradient, outputs, self.part.outputs))
        return tuple(output.detach() for output in outputs)

    def join(self, peers: Communicator, *, overlaps: bool) -> None:
        """Sum gradients over the stage's replicas from now on, if it can be while backwards go on."""
        from harness_pipedream.running.reduction import Reduction

        self._reduction = Reduction(peers, self.weights.newest, overlaps=overlaps)

    def backward(
        self, unit: int, version: int, gradients: Sequence[torch.Tensor], *, closing: bool = False
    ) -> tuple[torch.Tensor, ...]:
        """The gradients for the stage before, given those of the outputs that carry one.

        In the ``closing`` backward of a round, gradients are summed over the replicas as soon as they are there.
        """
        import torch

        flight = self._flights.pop(unit)
        outputs = flight.outputs or self._run_again(flight, unit, version)
        given = iter(gradients)
        ends, seeds = [], []
        for output, origin in zip(outputs, self._origins, strict=True):
            seed = next(given) if not self._loss and carries_gradient(output, origin) else None
            if output.requires_grad:
                ends.append(output)
                seeds.append(seed)
        early = self._reduction if closing else None
        with self.weights.watched(version, early.give) if early else nullcontext():
            if ends:
                torch.autograd.backward(ends, seeds)
        self.weights.collect(version)
        return tuple(
            torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in flight.inputs if leaf.requires_grad
        )

    def awaits(self, unit: int) -> int:
        """How many gradients the next stage sends back for a unit."""
        return self._flights[unit].awaits

    def reduce(self) -> None:
        """Finish summing the round's gradient over the stage's replicas."""
        if self._reduction:
            self.weights.gradients = self._reduction.finish(self.weights.gradients)

    def update(self, version: int, *, oldest: int, units: int) -> None:
        """Step the newest weights with the gradient of a round of so many units."""
        self.weights.step(version, oldest=oldest, units=units)

    def restart(self) -> None:
        """Begin a segment: nothing is in flight, the newest weights are version 0."""
        self.weights.restart()

    def state(self) -> list[torch.Tensor]:
        """The newest weights and the buffers."""
        return [*(p.data for p in self.weights.newest), *(buffer for _, _, buffer in self._buffers())]

    def checkpoint(self) -> dict[str, Any]:
        """All that training goes on from, where nothing is in flight."""
        optimizer = self.weights.optimizer
        return {"tensors": self.state(), "optimizer": optimizer.state_dict() if optimizer else None}

    def resume(self, found: dict[str, Any]) -> None:
        """Go on from what ``checkpoint`` gave."""
        for tensor, saved in zip(self.state(), found["tensors"], strict=True):
            tensor.copy_(saved)
        if self.weights.optimizer:
            self.weights.optimizer.load_state_dict(found["optimizer"])

    @property
    def _origins(self) -> tuple[int, ...]:
        return (0,) if self._loss else tuple(self.part.outputs)

    def _run(self, inputs: tuple[torch.Tensor, ...], unit: int) -> tuple[torch.Tensor, ...]:
        # A later forward must not write into statistics that an earlier one's backward may look at.
        for owner, name, buffer in self._buffers():
            setattr(owner, name, buffer.clone())
        outputs: tuple[torch.Tensor, ...] = self.part(*inputs)
        return (self._loss(outputs[0], unit),) if self._loss else outputs

    def _run_again(self, flight: Flight, unit: int, version: int) -> tuple[torch.Tensor, ...]:
        """Repeat a forward with its random numbers; buffers stay as they are."""
        import torch
        from torch.utils.checkpoint import set_device_states

        buffers = self._buffers()
        self.weights.install(version)
        state, devices, device_states = flight.randomness
        with torch.random.fork_rng(devices=devices):
            torch.set_rng_state(state)
            set_device_states(devices, device_states)
            outputs = self._run(flight.inputs, unit)
        for owner, name, buffer in buffers:
            setattr(owner, name, buffer)
        return outputs

    def _buffers(self) -> list[tuple[torch.nn.Module, str, torch.Tensor]]:
        return [(m, name, buffer) for m in self.part.modules() for name, buffer in m.named_buffers(recurse=False)]
