"""How partitions learn together: BSP, Gaia, FedAvg and DGC (Hsieh et al., ICML 2020, section 2 and appendix A).

Each is a rule for one minibatch. A partition k has weights w_k and a gradient g_k of its own minibatch;
all vectors are rows of matrices (rows, parameters), so that one rule serves one partition or all of
them. ``eta`` is the step size of the mean gradient over K partitions, m the momentum.

BSP      u <- m u + mean_k g_k;  w <- w - eta u.
Gaia     u_k <- m u_k + eta/K g_k;  w_k <- w_k - u_k at once;  a_k <- a_k + u_k;  where |a_k| > T |w_k|, a_k
         is sent to all others, who subtract it, and set to 0. T falls as eta does.
FedAvg   u_k <- m u_k + g_k;  w_k <- w_k - eta u_k;  every H minibatches all take the mean of the w_k.
DGC      u_k <- m u_k + eta/K g_k;  a_k <- a_k + u_k;  of each tensor the share 1 - s that is largest in |a_k| is
         sent and subtracted everywhere; there a_k <- 0, and u_k <- 0 (momentum factor masking).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from harness_skewscout.exchange import Exchange


@dataclass
class Rule(ABC):
    """One minibatch's update of the rows of this worker; ``setting`` is what SkewScout turns.

    ``rate_at`` gives the step size of a minibatch.
    """

    exchange: Exchange
    rate_at: Callable[[int], float]
    momentum: float
    setting: float
    velocity: torch.Tensor = field(init=False, repr=False)

    def start(self, weights: torch.Tensor) -> None:
        """Set up state for weights of this shape."""
        import torch

        self.velocity = torch.zeros_like(weights)

    @abstractmethod
    def update(self, weights: torch.Tensor, gradients: torch.Tensor, step: int) -> None:
        """Change ``weights`` (rows, parameters) in place."""

    def exchanges(self, step: int) -> bool:
        """Whether partitions meet at the end of this step (counted from 0), so that buffers may be averaged too."""
        return True


class Bsp(Rule):
    """Bulk synchronous: every gradient of every partition, every minibatch."""

    def update(self, weights: torch.Tensor, gradients: torch.Tensor, step: int) -> None:
        """Momentum SGD on the mean gradient."""
        mean = self.exchange.total(gradients) / self.exchange.partitions
        self.velocity.mul_(self.momentum).add_(mean)
        weights.sub_(self.velocity, alpha=self.rate_at(step))


@dataclass
class Gaia(Rule):
    """Updates that are significant next to the weight (Hsieh et al., NSDI 2017); ``setting`` is the threshold T."""

    waiting: torch.Tensor = field(init=False, repr=False)

    def start(self, weights: torch.Tensor) -> None:
        """Nothing waits."""
        super().start(weights)
        self.waiting = self.velocity.clone()

    def update(self, weights: torch.Tensor, gradients: torch.Tensor, step: int) -> None:
        """Apply one's own update at once, and tell the others what has become significant."""
        self.velocity.mul_(self.momentum).add_(gradients, alpha=self.rate_at(step) / self.exchange.partitions)
        weights.sub_(self.velocity)
        self.waiting.add_(self.velocity)
        threshold = self.setting * self.rate_at(step) / self.rate_at(0)
        significant = (self.waiting.abs() > threshold * weights.abs()) | (weights == 0)
        sent = self.waiting * significant
        self.waiting.sub_(sent)
        weights.sub_(self.exchange.total_of_some(sent, significant) - sent)


class FedAvg(Rule):
    """Local steps, then the mean of all models (McMahan et al., AISTATS 2017); ``setting`` is the local steps H."""

    def update(self, weights: torch.Tensor, gradients: torch.Tensor, step: int) -> None:
        """Momentum SGD of one's own; the velocity stays local and is never reset."""
        self.velocity.mul_(self.momentum).add_(gradients)
        weights.sub_(self.velocity, alpha=self.rate_at(step))
        if self.exchanges(step):
            weights.copy_(self.exchange.total(weights) / self.exchange.partitions)

    def exchanges(self, step: int) -> bool:
        """Every H steps."""
        return (step + 1) % round(self.setting) == 0


@dataclass
class Dgc(Rule):
    """Deep gradient compression (Lin et al., ICLR 2018); ``setting`` is the sparsity s.

    ``sizes`` are those of the model's tensors; ``clip`` bounds the L2 norm of a partition's gradient. A
    ``schedule`` of sparsities, each for so many steps, comes before the last of them, which stays.
    """

    sizes: Sequence[int] = ()
    masking: bool = True
    clip: float | None = None
    schedule: Sequence[float] = ()
    steps_a_stage: float = 1.0
    waiting: torch.Tensor = field(init=False, repr=False)

    def start(self, weights: torch.Tensor) -> None:
        """Nothing waits."""
        super().start(weights)
        self.waiting = self.velocity.clone()

    def update(self, weights: torch.Tensor, gradients: torch.Tensor, step: int) -> None:
        """Accumulate, and apply everywhere what is largest."""
        if self.schedule:
            self.setting = self.schedule[min(int(step / self.steps_a_stage), len(self.schedule) - 1)]
        if self.clip is not None:
            norms = gradients.norm(dim=1, keepdim=True)
            gradients = gradients * (self.clip / norms).clamp(max=1)
        self.velocity.mul_(self.momentum).add_(gradients, alpha=self.rate_at(step) / self.exchange.partitions)
        self.waiting.add_(self.velocity)
        chosen = self._largest()
        sent = self.waiting * chosen
        self.waiting.sub_(sent)
        if self.masking:
            self.velocity.mul_(~chosen)
        weights.sub_(self.exchange.total_of_some(sent, chosen))

    def _largest(self) -> torch.Tensor:
        """Mark each tensor's largest entries: at least one."""
        import torch

        marks = []
        for part in torch.split(self.waiting.abs(), list(self.sizes), dim=1):
            kept = max(1, round(part.shape[1] * (1 - self.setting)))
            mark = torch.zeros_like(part, dtype=torch.bool)
            marks.append(mark.scatter_(1, part.topk(kept, dim=1).indices, True))
        return torch.cat(marks, dim=1)
