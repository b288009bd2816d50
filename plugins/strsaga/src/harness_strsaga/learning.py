"""Running a stream parallelizer: advance at each arrival, evaluate now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Job
from harness_strsaga.evaluation import evaluator
from harness_strsaga.workload import StreamWorkload

if TYPE_CHECKING:
    from harness_strsaga.parallelizers import StreamParallelizer


def prepare(method: StreamParallelizer, job: Job[StreamWorkload]) -> None:
    """Do all that is not learning: step size, stream, minimisers, and a first step of the compiled kernels."""
    rate = method.step_size(job.workload)
    stream = job.workload.stream(job.seed)
    job.trace.fact("rate", {"rate": rate})
    job.trace.fact("stream", job.workload.describe(stream))
    evaluator(job.workload, job.seed).prepare()
    # Two arrivals with many gradients, since a method may do something else later on.
    rehearsal = method.learner(stream, rate=rate, rho=2_000, seed=job.seed)
    rehearsal.advance(int(stream.arrived[stream.arrived > 0][0]))
    rehearsal.advance(len(stream.points))
    rehearsal.weights  # noqa: B018


def learn(method: StreamParallelizer, job: Job[StreamWorkload], rate: float) -> None:
    """Make one pass over a stream, and record what it did and how good the model was."""
    trace, workload = job.trace, job.workload
    stream, judge = workload.stream(job.seed), evaluator(workload, job.seed)
    learner = method.learner(stream, rate=rate, rho=workload.rho(stream), seed=job.seed)
    for step, arrived in enumerate(stream.arrived.tolist()):
        if job.spent(steps=step):
            break
        if method.offline and step not in judge.steps:
            learner.skip()
            continue
        start = trace.clock()
        gradients = learner.advance(arrived)
        trace.add_span("advance", start, trace.clock(), step=step, value=gradients)
        trace.count("gradients", gradients, step=step)
        if step in judge.steps:
            with trace.span("evaluate", step=step):
                judge.record(trace, learner.weights, step)
