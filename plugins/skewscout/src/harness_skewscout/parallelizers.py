"""Decentralized learning over a workload's partitions: BSP, Gaia, FedAvg, DGC, and SkewScout around them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from harness import Device, Job, Parallelizer, TrainingWorkload, Worker, Workload

if TYPE_CHECKING:
    import numpy as np

    from harness_skewscout.algorithms import Rule
    from harness_skewscout.controller import Controller
    from harness_skewscout.exchange import Exchange

Algorithm = Literal["gaia", "fedavg", "dgc"]
WARM_UP = (0.75, 0.9375, 0.984375, 0.996, 0.999)  # Lin et al., ICLR 2018, section 3.3
GRIDS: dict[Algorithm, tuple[float, ...]] = {
    "gaia": (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4),
    "fedavg": (1, 2, 5, 10, 20, 50, 100),
    "dgc": WARM_UP,
}


class Decentralized(Parallelizer[TrainingWorkload]):
    """Training in which every partition keeps its data; the workload says how many there are and how they differ."""

    # The last is what torch's cross-entropy of batched tensors imports at its first use.
    imports: ClassVar[tuple[str, ...]] = ("torch", "torch.func", "torch.fx.experimental.symbolic_shapes")

    vectorised: bool = Field(True, description="all partitions as one batched model in one worker, or a worker each")
    statistics: Literal["local", "averaged", "recomputed"] = Field(
        "local", description="what becomes of batch normalization's running statistics"
    )
    step_cost: PositiveFloat | None = Field(
        None, description="seconds of a worker's minibatch on a virtual clock; none takes the real time"
    )

    def refuses(self, workload: Workload, device: Device) -> str:
        """A minibatch has to be the same for each partition."""
        assert isinstance(workload, TrainingWorkload)
        if workload.batch_size % workload.partitions:
            return f"a minibatch of {workload.batch_size} is not divisible by {workload.partitions} partitions"
        return ""

    def prepare(self, job: Job[TrainingWorkload]) -> None:
        """Train models that are thrown away: what torch imports and chooses at a first minibatch takes seconds."""
        from harness_skewscout.learning import warm_up

        warm_up(job.workload, rows=job.workload.partitions if self.vectorised else 1)

    def run(self, job: Job[TrainingWorkload]) -> None:
        """Launch one worker, or one for each partition."""
        job.launch(partial(_main, self), 1 if self.vectorised else job.workload.partitions)

    @abstractmethod
    def rule(self, workload: TrainingWorkload, exchange: Exchange, sizes: Sequence[int]) -> Rule:
        """The algorithm, for a model whose tensors have these sizes."""

    def controller(self, rule: Rule, rng: np.random.Generator) -> Controller | None:
        """What turns the algorithm's setting, if anything does."""
        return None


def _main(way: Decentralized, worker: Worker) -> None:
    from harness_skewscout.learning import learn

    learn(way, worker)


class Bsp(Decentralized):
    """Bulk synchronous parallel: all gradients are exchanged at every minibatch."""

    name: ClassVar[str] = "bsp"

    def rule(self, workload: TrainingWorkload, exchange: Exchange, sizes: Sequence[int]) -> Rule:
        """It has no setting."""
        from harness_skewscout import algorithms

        return algorithms.Bsp(exchange, workload.rate_at, workload.momentum, 0.0)


class Gaia(Decentralized):
    """Gaia: updates travel once they are significant next to the weight (Hsieh et al., NSDI 2017)."""

    name: ClassVar[str] = "gaia"

    threshold: NonNegativeFloat = Field(
        0.1, description="T0: the significant size of an update, relative to its weight"
    )

    def rule(self, workload: TrainingWorkload, exchange: Exchange, sizes: Sequence[int]) -> Rule:
        """The setting is the threshold."""
        from harness_skewscout import algorithms

        return algorithms.Gaia(exchange, workload.rate_at, workload.momentum, self.threshold)


class FedAvg(Decentralized):
    """Federated averaging: local steps, then the mean of all models (McMahan et al., AISTATS 2017)."""

    name: ClassVar[str] = "fedavg"

    local_steps: PositiveInt = Field(20, description="Iter_local: minibatches between two averages")

    def rule(self, workload: TrainingWorkload, exchange: Exchange, sizes: Sequence[int]) -> Rule:
        """The setting is the number of local steps."""
        from harness_skewscout import algorithms

        return algorithms.FedAvg(exchange, workload.rate_at, workload.momentum, self.local_steps)


class Dgc(Decentralized):
    """Deep gradient compression: the largest updates travel, the others wait (Lin et al., ICLR 2018)."""

    name: ClassVar[str] = "dgc"

    sparsity: float | None = Field(None, ge=0, lt=1, description="share of updates that wait; none warms up to 0.999")
    warm_up: PositiveInt = Field(4, description="E_warm: epochs of the warm-up, whose sparsity rises four times")
    masking: bool = Field(True, description="whether what was sent loses its momentum")
    clip: PositiveFloat | None = Field(None, description="bound of a partition's gradient norm")

    def rule(self, workload: TrainingWorkload, exchange: Exchange, sizes: Sequence[int]) -> Rule:
        """The setting is the sparsity."""
        from harness_skewscout import algorithms

        steps = len(workload.train_set()[1]) / workload.batch_size * self.warm_up / (len(WARM_UP) - 1)
        return algorithms.Dgc(
            exchange,
            workload.rate_at,
            workload.momentum,
            WARM_UP[0] if self.sparsity is None else self.sparsity,
            sizes=sizes,
            masking=self.masking,
            clip=self.clip,
            schedule=() if self.sparsity is not None else WARM_UP,
            steps_a_stage=steps,
        )


class SkewScout(Decentralized):
    """SkewScout: adapts an algorithm's communication to the accuracy that the skew of labels costs."""

    name: ClassVar[str] = "skewscout"

    algorithm: Algorithm = Field("gaia", description="whose setting it turns")
    grid: tuple[NonNegativeFloat, ...] = Field(
        (), description="settings, tightest first; none takes the algorithm's own"
    )
    start: NonNegativeInt = Field(0, description="index of the first setting")
    search: Literal["hill-climbing", "stochastic", "annealing"] = Field(
        "hill-climbing", description="how the next setting is found"
    )
    period: PositiveInt = Field(500, description="minibatches between two travels")
    samples: PositiveInt = Field(500, description="samples on which a travelling model is tried")
    tolerance: NonNegativeFloat = Field(0.05, description="sigma_AL: the accuracy loss that is tolerated")
    weight_of_loss: NonNegativeFloat = Field(50.0, description="lambda_AL")
    weight_of_bytes: NonNegativeFloat = Field(1.0, description="lambda_C")

    @model_validator(mode="after")
    def _fits(self) -> SkewScout:
        if list(self.settings) != sorted(self.settings):
            raise ValueError("grid: give the settings from tightest to loosest, in rising order")
        if self.start >= len(self.settings):
            raise ValueError(f"start: the grid has {len(self.settings)} settings, numbered from 0")
        return self

    @property
    def settings(self) -> tuple[float, ...]:
        """The grid in use."""
        return self.grid or GRIDS[self.algorithm]

    def rule(self, workload: TrainingWorkload, exchange: Exchange, sizes: Sequence[int]) -> Rule:
        """The algorithm at the first setting."""
        first = self.settings[self.start]
        ways: dict[Algorithm, Decentralized] = {
            "gaia": Gaia.model_construct(threshold=first),
            "fedavg": FedAvg.model_construct(local_steps=round(first)),
            "dgc": Dgc.model_construct(sparsity=first, warm_up=1, masking=True, clip=None),
        }
        return ways[self.algorithm].rule(workload, exchange, sizes)

    def controller(self, rule: Rule, rng: np.random.Generator) -> Controller:
        """SkewScout itself."""
        from harness_skewscout.controller import Controller
        from harness_skewscout.search import Search

        return Controller(
            rule,
            Search(self.search, len(self.settings), self.start, rng),
            self.settings,
            self.period,
            self.samples,
            self.tolerance,
            self.weight_of_loss,
            self.weight_of_bytes,
        )
