"""What a worker of a stage must hold at its fullest moment.

Per minibatch in flight, a version of the stage's weights and its activations, the received inputs among
them; besides, one copy of its gradients and ``optimizer_copies`` of its optimizer's state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import HarnessError
from harness_pipedream.planning.plan import in_flight

if TYPE_CHECKING:
    from harness_pipedream.planning.costs import Number
    from harness_pipedream.planning.states import Mask, States


def stage_bytes(parameter_bytes: Number, activation_bytes: Number, held: int, *, optimizer_copies: int) -> Number:
    """Bytes of a stage with ``held`` minibatches in flight; ``activation_bytes`` includes what it receives."""
    return held * (parameter_bytes + activation_bytes) + (1 + optimizer_copies) * parameter_bytes


@dataclass(frozen=True)
class MemoryLimit:
    """Bytes that one worker has; ``optimizer_copies`` is 1 for SGD with momentum, 2 for Adam."""

    bytes: float
    optimizer_copies: int = 1

    def __post_init__(self) -> None:
        if not self.bytes > 0:
            raise HarnessError(f"a memory limit must be positive, not {self.bytes:g} bytes")
        if self.optimizer_copies < 0:
            raise HarnessError(f"copies of the optimizer's state must be at least 0, not {self.optimizer_copies}")

    def fits(self, states: States, *, workers: int, before: int, replicas: int) -> Mask:
        """(sets, sets): whether the stage between two sets fits, ``before`` workers serving earlier stages."""
        import numpy as np

        activations = states.between(states.activation_bytes) + states.live_bytes[:, None]
        needed = stage_bytes(
            states.between(states.parameter_bytes),
            activations,
            in_flight(workers, before, replicas),
            optimizer_copies=self.optimizer_copies,
        )
        return np.asarray(needed) <= self.bytes
