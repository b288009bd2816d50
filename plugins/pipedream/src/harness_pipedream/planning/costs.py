"""Three readings of what a stage costs, each a formula of SOSP 2019, section 3.1, or of the released code.

With C the seconds of the stage's layers, W their parameter bytes, m its replicas and B the bytes a second
of a link, a minibatch costs the stage, in the steady state

====================  =========================================================================
``ring`` (default)    max(C, 2 (m-1)/m W/B) / m: a worker sends and receives (m-1)/m W, as the text says
``paper``             max(C, 2 (m-1) W/B) / m: the displayed formula
``release``           (C + 4 (m-1)/m W/B) / m: the released optimizer; nothing overlaps
====================  =========================================================================

and the tensors at a boundary 2 a/B, overlapped with computation (``release``: 2 a/(m B), at both ends).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from harness import HarnessError

if TYPE_CHECKING:
    import numpy as np

    from harness_pipedream.planning.levels import Level

    Number = float | np.ndarray[Any, np.dtype[np.float64]]

ROUNDING = 1e-13


@dataclass(frozen=True)
class Cost:
    """The paper's stated byte count: an all-reduce in a ring, overlapped with computation."""

    name: ClassVar[str] = "ring"
    overlaps: ClassVar[bool] = True
    shares_boundaries: ClassVar[bool] = False

    transfers: bool = True

    def sync(self, parameter_bytes: Number, replicas: int, bytes_per_second: float) -> Number:
        """Seconds of averaging a stage's gradients over its replicas, once a round."""
        return 2 * (replicas - 1) / replicas * parameter_bytes / bytes_per_second

    def stage(self, seconds: Number, parameter_bytes: Number, replicas: int, bytes_per_second: float) -> Number:
        """Seconds per minibatch of ``replicas`` that take ``seconds`` each; a round serves one minibatch each."""
        import numpy as np

        return np.maximum(seconds, self.sync(parameter_bytes, replicas, bytes_per_second)) / replicas

    def transfer(self, sent_bytes: Number, replicas: int, bytes_per_second: float) -> Number:
        """Seconds per minibatch of a boundary: activations one way, their gradients the other."""
        return 2 * sent_bytes / bytes_per_second if self.transfers else 0 * sent_bytes

    def output(self, sent_bytes: Number, replicas: int, bytes_per_second: float) -> Number:
        """What the stage before a boundary is charged for it, over what the one behind it is."""
        return 0 * sent_bytes

    def divisor(self, leads: bool, below: Sequence[Level]) -> int:
        """By how much a stage's parameters count less, where it is the first one of its component."""
        return 1

    def replicas(self, seconds: Number, sync: Number, limit: float) -> tuple[Number, Number]:
        """The fewest (from two) and the most replicas with which a stage keeps within ``limit`` seconds.

        ``sync`` is W/B. Here m^2 limit >= 2 (m-1) W/B, which holds from the greater root on.
        """
        import numpy as np

        root = (sync + np.sqrt(np.maximum(sync * sync - 2 * sync * limit, 0))) / limit
        low = np.maximum(seconds / limit, np.where(sync > 2 * limit, root, 0))
        return _whole(low), np.full_like(low, np.inf)


class PaperCost(Cost):
    """The formula as displayed: each replica moves the parameters of all others."""

    name: ClassVar[str] = "paper"

    def sync(self, parameter_bytes: Number, replicas: int, bytes_per_second: float) -> Number:
        """Twice the parameters for every other replica."""
        return 2 * (replicas - 1) * parameter_bytes / bytes_per_second

    def replicas(self, seconds: Number, sync: Number, limit: float) -> tuple[Number, Number]:
        """More replicas cost more here: m (2 W/B - limit) <= 2 W/B."""
        import numpy as np

        excess = np.asarray(2 * sync - limit)
        high = np.where(excess > 0, 2 * sync / np.where(excess > 0, excess, 1), np.inf)
        return _whole(seconds / limit), np.floor(high * (1 + ROUNDING))


class ReleaseCost(Cost):
    """The released optimizer: averaging is added to computation, and replicas share a boundary."""

    name: ClassVar[str] = "release"
    overlaps: ClassVar[bool] = False
    shares_boundaries: ClassVar[bool] = True

    def sync(self, parameter_bytes: Number, replicas: int, bytes_per_second: float) -> Number:
        """Twice a ring's bytes."""
        return 4 * (replicas - 1) / replicas * parameter_bytes / bytes_per_second

    def stage(self, seconds: Number, parameter_bytes: Number, replicas: int, bytes_per_second: float) -> Number:
        """The sum of both, divided by the replicas."""
        return (seconds + self.sync(parameter_bytes, replicas, bytes_per_second)) / replicas

    def transfer(self, sent_bytes: Number, replicas: int, bytes_per_second: float) -> Number:
        """Each replica moves its share."""
        return super().transfer(sent_bytes, replicas, bytes_per_second) / replicas

    def output(self, sent_bytes: Number, replicas: int, bytes_per_second: float) -> Number:
        """As much as for its input."""
        return self.transfer(sent_bytes, replicas, bytes_per_second)

    def divisor(self, leads: bool, below: Sequence[Level]) -> int:
        """The components of the level below, for a first stage: as the code has it."""
        return below[-1].workers if leads and below else 1

    def replicas(self, seconds: Number, sync: Number, limit: float) -> tuple[Number, Number]:
        """From the greater root of m^2 limit - m (C + 4 W/B) + 4 W/B on."""
        import numpy as np

        linear = seconds + 4 * sync
        under = np.asarray(linear * linear - 16 * sync * limit)
        low = np.where(under > 0, (linear + np.sqrt(np.maximum(under, 0))) / (2 * limit), 0)
        return _whole(low), np.full_like(low, np.inf)


def _whole(low: Number) -> Number:
    """Round up to a number of replicas, at least two; what rounding alone added does not count."""
    import numpy as np

    return np.asarray(np.maximum(np.ceil(np.asarray(low) * (1 - ROUNDING)), 2))


COSTS: dict[str, type[Cost]] = {cost.name: cost for cost in (Cost, PaperCost, ReleaseCost)}


def cost_model(name: str, *, transfers: bool = True) -> Cost:
    """The cost model of this name; without ``transfers``, boundaries are free."""
    if name not in COSTS:
        raise HarnessError(f"unknown cost model {name!r}; there is {', '.join(COSTS)}")
    return COSTS[name](transfers=transfers)
