"""Ways to learn from a stream: each holds a model, and advances it by one arrival at a time.

After an arrival a learner may evaluate rho gradients, at points that have arrived. What it does with
them is its schedule of visits; the steps themselves are in ``kernels``. Symbols are the paper's:
S points that arrived, T of them in the table, alpha and G the stored gradients and their sum.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np

from harness import HarnessError
from harness_strsaga import kernels
from harness_strsaga.kernels import Plan
from harness_strsaga.kernels.compiled import Floats, Indices
from harness_strsaga.kernels.randomness import below, seeded, uniform_order
from harness_strsaga.kernels.schedule import dynasaga_order, strsaga_order
from harness_strsaga.kernels.smoothness import smoothness
from harness_strsaga.stream import Stream


class Learner(ABC):
    """A model that learns from a stream with ``rho`` gradients an arrival and step size ``rate``.

    Equal seeds give equal runs, and different methods with one seed start from the same model.
    ``gradients`` counts all gradients evaluated so far, ``steps`` the arrivals.
    """

    def __init__(self, stream: Stream, *, rate: float, rho: int, seed: int) -> None:
        if stream.mu * rate >= 1:
            raise HarnessError(f"must be below 1/mu = {1 / stream.mu:g}, not {rate:g}", where="rate")
        self.stream = stream
        self.rate = rate
        self.rho = rho
        self.seed = seed
        self.random = seeded(seed)
        self.S = 0
        self.steps = 0
        self.gradients = 0

    @property
    @abstractmethod
    def weights(self) -> Floats:
        """A copy of the model, flat, every lazy update applied; a factorization's users' rows come first."""

    @abstractmethod
    def _learn(self, before: int) -> int:
        """Spend this arrival's gradients, points ``before``..S-1 being new; return how many they were."""

    def advance(self, arrived: int) -> int:
        """Learn, now that ``arrived`` points have arrived in all; return the gradients evaluated.

        While nothing has arrived, nothing can be evaluated.
        """
        if not self.S <= arrived <= len(self.stream.points):
            raise HarnessError(f"must be from {self.S} to {len(self.stream.points)}, not {arrived}", where="arrived")
        before, self.S = self.S, arrived
        self.steps += 1
        spent = self._learn(before) if arrived else 0
        self.gradients += spent
        return spent

    def skip(self) -> None:
        """Let an arrival pass: an offline method starts again at the next in any case."""
        self.steps += 1

    def _uniform(self, count: int, steps: int) -> Indices:
        order = np.empty(steps, np.int64)
        uniform_order(self.random, count, order)
        return order


class Sgd(Learner):
    """SGD over all that has arrived, uniformly; the step size at step t is rate / (1 + decay t).

    ``rate * mu`` is the decay that theory asks for where the objective is mu-strongly convex.
    ``single_pass`` visits the newest points of the arrival instead, each once: at most rho of them.
    """

    def __init__(
        self, stream: Stream, *, rate: float, rho: int, seed: int, decay: float = 0.0, single_pass: bool = False
    ) -> None:
        super().__init__(stream, rate=rate, rho=rho, seed=seed)
        self.state = kernels.plain(stream, seed)
        self.decay = decay
        self.single_pass = single_pass

    @property
    def weights(self) -> Floats:
        """A copy of the model."""
        return self.state.weights

    def _learn(self, before: int) -> int:
        if self.single_pass:
            order = np.arange(max(before, self.S - self.rho), self.S)
        else:
            order = self._uniform(self.S, self.rho)
        t = np.arange(self.gradients, self.gradients + len(order), dtype=np.float64)
        self.state.sgd(order, self.rate / (1.0 + self.decay * t))
        return len(order)


class BareSgd(Learner):
    """Nothing but sampling and the gradient step: the yardstick of what a step costs."""

    def __init__(self, stream: Stream, *, rate: float, rho: int, seed: int) -> None:
        super().__init__(stream, rate=rate, rho=rho, seed=seed)
        self.state = kernels.plain(stream, seed)
        self.rates = np.full(rho, rate)

    @property
    def weights(self) -> Floats:
        """A copy of the model."""
        return self.state.weights

    def _learn(self, before: int) -> int:
        self.state.sgd(self._uniform(self.S, self.rho), self.rates)
        return self.rho


class Corrected(Learner):
    """A learner whose steps are corrected by gradients that it keeps: alpha, G, and T points in the table."""

    def __init__(self, stream: Stream, *, rate: float, rho: int, seed: int) -> None:
        super().__init__(stream, rate=rate, rho=rho, seed=seed)
        self.state = kernels.corrected(stream, seed)
        self.T = 0

    @property
    def weights(self) -> Floats:
        """A copy of the model."""
        return self.state.weights

    @property
    def alpha(self) -> Floats:
        """The table itself: a slope a point (n,), or a factorization's gradient rows (n, 2 rank)."""
        return self.state.alpha

    @property
    def G(self) -> Floats:  # noqa: N802
        """The sum of the stored gradients, flat as the model."""
        return self.state.G

    def _strsaga(self, steps: int) -> Plan:
        order, sizes = np.empty(steps, np.int64), np.empty(steps, np.int64)
        self.T = strsaga_order(self.random, self.T, self.S, order, sizes)
        return Plan(order, sizes, np.full(steps, self.rate))


class Strsaga(Corrected):
    """STRSAGA: take a new point at every second step, while there is one, and revisit old ones in between.

    Jothimurugesan, Tahmasbi, Gibbons, Tirthapura: "Variance-Reduced Stochastic Gradient Descent on
    Streaming Data", NeurIPS 2018, Algorithm 1.
    """

    def _learn(self, before: int) -> int:
        self.state.saga(self._strsaga(self.rho))
        return self.rho


class Dynasaga(Corrected):
    """DYNASAGA(rho), offline: at arrival i, learn from scratch over all that arrived, with rho i gradients.

    What it has after an arrival depends on i, S and the seed alone. It visits points as STRSAGA does,
    or with ``original`` by the schedule of Daneshmand et al. 2016; a ``rate`` of ``None`` then is
    theirs, 0.3 / (L + m mu), L being the smoothness of the points that arrived.
    """

    def __init__(self, stream: Stream, *, rate: float | None, rho: int, seed: int, original: bool = False) -> None:
        if rate is None and not original:
            raise HarnessError("must be a number; only the original schedule has a step size of its own", where="rate")
        super().__init__(stream, rate=rate or 0.0, rho=rho, seed=seed)
        self.original = original
        self.own_rate = rate is None
        self.smoothness = 0.0

    def _learn(self, before: int) -> int:
        self.state, self.random, self.T = kernels.corrected(self.stream, self.seed), seeded(self.seed), 0
        steps = self.rho * self.steps
        self.state.saga(self._daneshmand(steps, before) if self.original else self._strsaga(steps))
        return steps

    def _daneshmand(self, steps: int, before: int) -> Plan:
        order, sizes = np.empty(steps, np.int64), np.empty(steps, np.int64)
        self.T = dynasaga_order(self.random, self.S, order, sizes)
        if not self.own_rate:
            return Plan(order, sizes, np.full(steps, self.rate))
        self.smoothness = max(self.smoothness, smoothness(self.stream, before, self.S))
        return Plan(order, sizes, np.asarray(0.3 / (self.smoothness + self.stream.mu * sizes), np.float64))


class Saga(Corrected):
    """SAGA (Defazio et al. 2014), uniform over all points that arrived, each in the table at once.

    With ``whole`` it knows the whole stream from the start: what no streaming method can.
    """

    def __init__(self, stream: Stream, *, rate: float, rho: int, seed: int, whole: bool = False) -> None:
        super().__init__(stream, rate=rate, rho=rho, seed=seed)
        self.whole = whole

    def _learn(self, before: int) -> int:
        self.T = len(self.stream.points) if self.whole else self.S
        order = self._uniform(self.T, self.rho)
        self.state.saga(Plan(order, np.full(self.rho, self.T), np.full(self.rho, self.rate)))
        return self.rho


class Ssvrg(Corrected):
    """Streaming SVRG (Frostig, Ge, Kakade, Sidford 2015): stages of an anchor and corrected steps.

    A stage sums the gradients of k fresh points (``anchors`` at first) at the anchor, the present
    model; takes uniformly 1 to ``inner`` steps, each with a fresh point's gradients at the model and
    at the anchor; then k grows by ``growth``. Fresh points come in arrival order, and when there are
    none, uniformly from those that arrived. A gradient is a gradient: the anchor's too count towards rho.
    The defaults did best of 24 settings at rho = 5 lambda, and second best at rho = lambda, each at its best
    step size (synthetic rows of 134 binary features, one seed).
    """

    def __init__(
        self, stream: Stream, *, rate: float, rho: int, seed: int,
        anchors: int = 500, growth: float = 1.1, inner: int = 500,
    ) -> None:  # fmt: skip
        super().__init__(stream, rate=rate, rho=rho, seed=seed)
        self.k = anchors
        self.growth = growth
        self.inner = inner
        self.summed = 0
        self.left = 0
        self.unspent = 0

    def _learn(self, before: int) -> int:
        # A step needs two gradients; the first of a step cut in half is left to be evaluated with the second.
        budget = self.rho + self.unspent
        while budget >= (2 if self.left else 1):
            budget -= self._correct(budget // 2) if self.left else self._sum(budget)
        self.unspent = budget
        return self.rho

    def _sum(self, most: int) -> int:
        if self.summed == 0:
            self.state.anchor()
        count = min(most, self.k - self.summed)
        self.state.anchor_sum(self._fresh(count))
        self.summed += count
        if self.summed == self.k:
            self.left = 1 + below(self.random, self.inner)
        return count

    def _correct(self, most: int) -> int:
        count = min(most, self.left)
        self.state.svrg(Plan(self._fresh(count), np.full(count, self.summed), np.full(count, self.rate)))
        self.left -= count
        if self.left == 0:
            self.k, self.summed = math.ceil(self.k * self.growth), 0
        return 2 * count

    def _fresh(self, count: int) -> Indices:
        new = np.arange(self.T, min(self.T + count, self.S))
        self.T += len(new)
        return np.concatenate([new, self._uniform(self.S, count - len(new))])
