"""Ways to learn from a stream with a fixed number of gradients an arrival: work divided over time."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from harness import Job, Parallelizer
from harness_strsaga.workload import StreamWorkload

if TYPE_CHECKING:
    from harness_strsaga.learners import Learner
    from harness_strsaga.stream import Stream


class StreamParallelizer(Parallelizer[StreamWorkload]):
    """Advances a learner at each arrival, and evaluates it now and then.

    An ``offline`` method starts again whenever it learns, so that it need not learn between evaluations.
    """

    imports: ClassVar[tuple[str, ...]] = (
        "harness_strsaga.learning",
        "harness_strsaga.learners",
        "harness_strsaga.kernels.ready",
        "scipy.sparse",
    )
    offline: ClassVar[bool] = False

    @abstractmethod
    def learner(self, stream: Stream, *, rate: float, rho: int, seed: int) -> Learner:
        """A fresh learner; it sees of the stream only what has arrived."""

    def step_size(self, workload: StreamWorkload) -> float:
        """The step size eta; the authors' for methods that choose their own."""
        return workload.paper_rate

    def prepare(self, job: Job[StreamWorkload]) -> None:
        """Choose the step size, compile the kernels, and find the minimisers that evaluation needs."""
        from harness_strsaga.learning import prepare

        prepare(self, job)

    def run(self, job: Job[StreamWorkload]) -> None:
        """Process the arrivals in order."""
        from harness_strsaga.learning import learn

        learn(self, job, self.step_size(job.workload))


class SteppedParallelizer(StreamParallelizer):
    """A method whose step size is a parameter."""

    rate: PositiveFloat | Literal["tuned", "paper"] = Field(
        "tuned",
        description="step size eta: a number, the authors' early code's ('paper'), or the best of a grid ('tuned')",
    )

    def step_size(self, workload: StreamWorkload) -> float:
        """The step size as a number; tuned on seeds that are never reported."""
        from harness_strsaga.tuning import tuned_rate

        if self.rate == "tuned":
            return tuned_rate(self, workload)
        return workload.paper_rate if self.rate == "paper" else self.rate


class Strsaga(SteppedParallelizer):
    """Variance-reduced SGD over data that arrive over time (Jothimurugesan et al., NeurIPS 2018)."""

    name: ClassVar[str] = "strsaga"

    def learner(self, stream: Stream, *, rate: float, rho: int, seed: int) -> Learner:
        """STRSAGA's state."""
        from harness_strsaga import learners

        return learners.Strsaga(stream, rate=rate, rho=rho, seed=seed)


class Dynasaga(SteppedParallelizer):
    """The offline bound: SAGA over a growing sample, from scratch at each arrival (Daneshmand et al., ICML 2016)."""

    name: ClassVar[str] = "dynasaga"
    offline: ClassVar[bool] = True

    original: bool = Field(False, description="visit points by the schedule of 2016, not by STRSAGA's")

    def learner(self, stream: Stream, *, rate: float, rho: int, seed: int) -> Learner:
        """DYNASAGA(rho)'s state."""
        from harness_strsaga import learners

        return learners.Dynasaga(stream, rate=rate, rho=rho, seed=seed, original=self.original)


class Saga(SteppedParallelizer):
    """SAGA over all that has arrived, every point in the table at once (Defazio et al., NeurIPS 2014)."""

    name: ClassVar[str] = "saga"

    whole: bool = Field(False, description="know the whole stream from the start, as no streaming method can")

    def learner(self, stream: Stream, *, rate: float, rho: int, seed: int) -> Learner:
        """SAGA's state."""
        from harness_strsaga import learners

        return learners.Saga(stream, rate=rate, rho=rho, seed=seed, whole=self.whole)


class Sgd(SteppedParallelizer):
    """SGD, uniform over all that has arrived."""

    name: ClassVar[str] = "sgd"

    decaying: bool = Field(False, description="step size rate / (1 + rate mu t) at step t, not constant")
    single_pass: bool = Field(False, description="visit the newest points of each arrival once, and none again")

    def learner(self, stream: Stream, *, rate: float, rho: int, seed: int) -> Learner:
        """SGD's state."""
        from harness_strsaga import learners

        decay = rate * stream.mu if self.decaying else 0.0
        return learners.Sgd(stream, rate=rate, rho=rho, seed=seed, decay=decay, single_pass=self.single_pass)


class Ssvrg(SteppedParallelizer):
    """Streaming SVRG: stages of an anchor and corrected steps (Frostig et al., COLT 2015)."""

    name: ClassVar[str] = "ssvrg"

    anchors: PositiveInt = Field(500, description="fresh points in the first anchor's gradient")
    growth: PositiveFloat = Field(1.1, description="factor by which an anchor's points grow from stage to stage")
    inner: PositiveInt = Field(500, description="the most corrected steps in a stage")

    def learner(self, stream: Stream, *, rate: float, rho: int, seed: int) -> Learner:
        """SSVRG's state."""
        from harness_strsaga import learners

        return learners.Ssvrg(
            stream, rate=rate, rho=rho, seed=seed, anchors=self.anchors, growth=self.growth, inner=self.inner
        )


class BareSgd(SteppedParallelizer):
    """Nothing but sampling and the gradient step: the yardstick of what a step costs."""

    name: ClassVar[str] = "bare-sgd"

    def learner(self, stream: Stream, *, rate: float, rho: int, seed: int) -> Learner:
        """A model and a generator, no more."""
        from harness_strsaga import learners

        return learners.BareSgd(stream, rate=rate, rho=rho, seed=seed)


PARALLELIZERS: tuple[type[Parallelizer[Any]], ...] = (BareSgd, Dynasaga, Saga, Sgd, Ssvrg, Strsaga)
