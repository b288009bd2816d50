"""The weight versions of one stage.

The optimizer owns the newest weights and steps them in place. A version that minibatches in flight
still need is kept: before the step, the newest weights move to storage of their own, and the old
storage stays with the version. Each version is a list of parameters that share its storage and are
put into the stage's modules for a forward; the backward then finds them in its graph, so that it
uses the forward's version for both gradients, exactly (PipeDream, SOSP 2019, section 3.3). Where no
version has to be kept, nothing is copied: that is plain SGD, and, with minibatches in flight, the
naive pipeline, whose backwards meet weights that their forwards did not see.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import torch

NOTHING = -1


class Weights:
    """A module's parameters in versions, and the optimizer of the newest; its own state has one copy."""

    def __init__(self, module: torch.nn.Module, optimizer: Callable[[torch.nn.Module], torch.optim.Optimizer]) -> None:
        self._newest = list(module.parameters())
        self._places = _places(module)
        self._optimizer = optimizer(module) if self._newest else None
        self._versions = {0: _sharing(self._newest)}
        self._installed = NOTHING
        self._gradients: list[torch.Tensor | None] = [None] * len(self._newest)

    @property
    def versions(self) -> list[int]:
        """The versions that are kept, the newest last."""
        return list(self._versions)

    @property
    def newest(self) -> list[torch.nn.Parameter]:
        """The newest weights, in the module's order."""
        return self._newest

    @property
    def optimizer(self) -> torch.optim.Optimizer | None:
        """The optimizer of the newest weights; ``None`` if there are none."""
        return self._optimizer

    def install(self, version: int) -> None:
        """Put a version into the module: what runs from now on uses it."""
        if version == self._installed:
            return
        parameters = self._versions[version]
        for owner, name, index in self._places:
            setattr(owner, name, parameters[index])
        self._installed = version

    def collect(self, version: int) -> None:
        """Take over the gradients that a backward left at a version, adding to those of the same round."""
        for index, parameter in enumerate(self._versions[version]):
            gradient, parameter.grad = parameter.grad, None
            if gradient is not None:
                earlier = self._gradients[index]
                self._gradients[index] = gradient if earlier is None else earlier.add_(gradient)

    @property
    def gradients(self) -> list[torch.Tensor | None]:
        """The round's summed gradients; ``None`` where no backward reached."""
        return self._gradients

    @gradients.setter
    def gradients(self, gradients: Sequence[torch.Tensor]) -> None:
        self._gradients = list(gradients)

    @contextmanager
    def watched(self, version: int, complete: Callable[[int, torch.Tensor], object]) -> Iterator[None]:
        """Call ``complete(index, gradient)`` as soon as a backward at a version, the round's last, has a gradient."""

        def tell(index: int, parameter: torch.Tensor) -> None:
            assert parameter.grad is not None
            earlier = self._gradients[index]
            complete(index, parameter.grad if earlier is None else earlier + parameter.grad)

        hooks = [
            parameter.register_post_accumulate_grad_hook(partial(tell, index))  # type: ignore[no-untyped-call]
            for index, parameter in enumerate(self._versions[version])
            if parameter.requires_grad
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def step(self, version: int, *, oldest: int, units: int) -> None:
        """Make a version: one optimizer step on the newest weights with the round's gradient, averaged over its units.

        Versions before ``oldest`` are dropped.
        """
        previous = version - 1
        if oldest <= previous:
            for parameter in self._newest:
                parameter.data = parameter.data.clone()
        for parameter, gradient in zip(self._newest, self._gradients, strict=True):
            parameter.grad = gradient if gradient is None or units == 1 else gradient.div_(units)
        if self._optimizer:
            self._optimizer.step()
            self._optimizer.zero_grad()
        self._gradients = [None] * len(self._newest)
        self._keep(version, oldest)

    def restart(self) -> None:
        """Count versions from 0 again, the newest being the only one: no minibatch is in flight."""
        newest = max(self._versions)
        self._versions = {0: self._versions[newest]}
        self._installed = 0 if self._installed == newest else NOTHING

    def _keep(self, version: int, oldest: int) -> None:
        if oldest <= version - 1:
            self._versions[version] = _sharing(self._newest)
        else:  # In place: the parameters of the version before now hold this one.
            self._versions[version] = self._versions.pop(version - 1)
            self._installed = version if self._installed == version - 1 else self._installed
        for dropped in [kept for kept in self._versions if kept < oldest]:
            del self._versions[dropped]


def _sharing(parameters: list[torch.nn.Parameter]) -> list[torch.nn.Parameter]:
    """Parameters of their own that share the storage of others."""
    import torch

    return [torch.nn.Parameter(p.data, requires_grad=p.requires_grad) for p in parameters]


def _places(module: torch.nn.Module) -> list[tuple[torch.nn.Module, str, int]]:
    """Where each parameter stands in a module (several places if it is tied), with its index."""
    order = {id(parameter): index for index, parameter in enumerate(module.parameters())}
    return [
        (owner, name, order[id(parameter)])
        for owner in module.modules()
        for name, parameter in owner.named_parameters(recurse=False, remove_duplicate=False)
    ]
