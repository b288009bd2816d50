"""Ways to learn from a stream with a fixed number of gradients an arrival: work divided over time."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness_strsaga.workload import StreamWorkload
from pydantic import Field, PositiveFloat

from harness import Job, Parallelizer

if TYPE_CHECKING:
    from harness_strsaga.learners import Learner
    from harness_strsaga.stream import Stream

Rate = PositiveFloat | Literal["tuned", "paper"]
RATE = Field(
    "tuned", description="step size eta: a number, the early code's ('paper'), or the best of a grid ('tuned')"
)


class StreamParallelizer(Parallelizer[StreamWorkload]):
    """Advance a learner at each arrival, evaluating it now and then, everyone paused."""

    imports: ClassVar[tuple[str, ...]] = ("harness_strsaga.learners", "harness_strsaga.evaluation", "scipy.optimize")

    rate: Rate = RATE

    @abstractmethod
    def learner(self, stream: Stream, *, rate: float, rho: int, seed: int) -> Learner:
        """A fresh learner; it sees of the stream only what has arrived."""

    def chosen_rate(self, workload: StreamWorkload) -> float:
        """The step size as a number, tuned on seeds that are never reported."""
        from harness_strsaga.tuning import tuned_rate

        if self.rate == "paper":
            return workload.paper_rate
        return tuned_rate(self, workload) if self.rate == "tuned" else self.rate

    def prepare(self, job: Job[StreamWorkload]) -> None:
        """Choose the rate, compile the kernels, and work out the minimisers that evaluation needs."""
        from harness_strsaga.evaluation import evaluator

        rate = self.chosen_rate(job.workload)
        job.trace.fact("rate", {"rate": rate, "choice": self.rate if isinstance(self.rate, str) else "given"})
        stream = job.workload.stream(job.seed)
        job.trace.fact("stream", job.workload.describe(stream))
        evaluator(job.workload, job.seed).prepare()
        self.learner(stream, rate=rate, rho=1, seed=job.seed).advance(int(stream.arrived[0]) or 1)

    def run(self, job: Job[StreamWorkload]) -> None:
        """Process the arrivals in order."""
        learn(self, job.workload, self.chosen_rate(job.workload), job)


def learn(method: StreamParallelizer, workload: StreamWorkload, rate: float, job: Job[Any]) -> None:
    """One pass over a stream: advance at each arrival, evaluate at the workload's evaluation points."""
    from harness_strsaga.evaluation import evaluator

    trace, stream = job.trace, workload.stream(job.seed)
    judge = evaluator(workload, job.seed)
    learner = method.learner(stream, rate=rate, rho=workload.rho(stream), seed=job.seed)
    for step, arrived in enumerate(stream.arrived):
        start = trace.clock()
        gradients = learner.advance(int(arrived))
        trace.add_span("advance", start, trace.clock(), step=step, value=gradients)
        trace.count("gradients", gradients, step=step)
        if step in judge.steps:
            with trace.span("evaluate", step=step):
                judge.record(trace, learner.weights, step)
        if job.spent(steps=step + 1):
            break
