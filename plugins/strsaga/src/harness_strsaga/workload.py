"""The workload kind of learning from a stream: data, how they arrive, and how many gradients an arrival buys."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from harness import Job, Serial, Workload

if TYPE_CHECKING:
    from harness_strsaga.sampling import Source
    from harness_strsaga.stream import Stream

STREAM = 57  # keeps a stream's random numbers apart from those of a learner with the same seed


class StreamWorkload(Workload, Serial):
    """Learning from points that arrive over time; subclasses say which points, and which loss.

    ``paper_rate`` is the step size that the paper's early code used on such data, ``has_times``
    whether the points carry times of their own.
    """

    imports: ClassVar[tuple[str, ...]] = ("harness_strsaga.evaluation", "scipy.linalg", "scipy.sparse.linalg")
    paper_rate: ClassVar[float] = 0.05
    has_times: ClassVar[bool] = False

    arrivals: Literal["constant", "poisson", "skewed", "bursts", "own"] = Field(
        "poisson", description="how points arrive: at a constant rate, at random, in lumps, or by their own times"
    )
    steps: PositiveInt = Field(100, description="time steps of the stream")
    skew: PositiveInt = Field(8, description="with skewed arrivals: time steps from one lump to the next")
    gradients_per_point: PositiveFloat = Field(5.0, description="rho / lambda: gradients a point that arrives")
    mu: PositiveFloat = Field(7e-4, description="L2 weight mu")
    held_out: float = Field(0.1, gt=0, lt=1, description="share of the points that risk is measured on")
    points: PositiveInt | None = Field(None, description="points used, held-out ones included; all by default")
    evaluations: PositiveInt = Field(25, description="time steps, evenly spread, after which models are evaluated")

    @model_validator(mode="after")
    def _times_there(self) -> StreamWorkload:
        if self.arrivals == "own" and not self.has_times:
            raise ValueError(f"arrivals must not be 'own': the points of {self.name} have no times")
        return self

    @abstractmethod
    def source(self) -> Source:
        """All points in the order of the data, with targets, and times if ``has_times``."""

    @abstractmethod
    def problem(self) -> Mapping[str, Any]:
        """The stream's fields that say what is learned: ``loss``, and ``rank`` if it is a factorization."""

    def prepare(self) -> None:
        """Fetch and load the data."""
        self.source()

    def stream(self, seed: int) -> Stream:
        """The stream of a seed, which decides the split, the order and the arrivals.

        With the data's own arrivals the order is the data's, and the seed decides the split alone.
        """
        return _stream(self, seed)

    def rho(self, stream: Stream) -> int:
        """Gradients an arrival, the same for every method: a multiple of the mean number of points."""
        return max(1, round(self.gradients_per_point * stream.mean_arrivals))

    def describe(self, stream: Stream) -> Mapping[str, Any]:
        """What metrics need to know of a stream, as the fact ``stream``."""
        from harness_strsaga.sampling import dimension

        return {
            "dimension": dimension(stream),
            "arrived": stream.arrived.tolist(),
            "rho": self.rho(stream),
            "held_out": len(stream.held_out),
        }

    def serial(self, job: Job[Any]) -> None:
        """Plain SGD on what has arrived, sampled again and again, at the early code's step size."""
        from harness_strsaga.parallelizers import Sgd

        reference = Sgd(rate="paper")
        with job.trace.span("prepare"):
            reference.prepare(job)
        reference.run(job)


@lru_cache(maxsize=4)
def _stream(workload: StreamWorkload, seed: int) -> Stream:
    import numpy as np

    from harness_strsaga.arrivals import counts
    from harness_strsaga.sampling import split
    from harness_strsaga.stream import Stream

    source = workload.source()
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STREAM,)))
    ordered = workload.arrivals == "own"
    arriving, held_out = split(
        len(source.targets), points=workload.points, held_out=workload.held_out, ordered=ordered, rng=rng
    )
    learned, judged = source.take(arriving), source.take(held_out)
    arrivals = counts(
        workload.arrivals, len(arriving), workload.steps, skew=workload.skew, rng=rng, times=learned.times
    )
    return Stream(
        learned.points, learned.targets, arrivals, judged.points, judged.targets, mu=workload.mu, **workload.problem()
    )
