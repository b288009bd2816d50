"""Checks of a parallelizer on a workload: seeds, budgets and the trace, in small cells on the processor."""

from __future__ import annotations

from harness.components import Budget
from harness.testing.cells import SECONDS, STEPS, Bench, Pair
from harness.testing.outcomes import Problem, Skip
from harness.testing.traces import difference, last_step, sequence, well_formed
from harness.trace import VALUE

SMALL = Budget(steps=STEPS)
LONGER = Budget(seconds=SECONDS)
PATIENCE = 10.0


def runs(bench: Bench, pair: Pair) -> None:
    """A small cell ends well."""
    evidence = bench.ran(pair, SMALL)
    if evidence.reason:
        raise Problem(evidence.reason)


def trace(bench: Bench, pair: Pair) -> None:
    """The trace is well-formed, even if the cell failed."""
    left = bench.ran(pair, SMALL).trace
    if left is None:
        raise Skip("the cell left no trace")
    well_formed(left)


def same_seed(bench: Bench, pair: Pair) -> None:
    """The same seed gives the same events, times apart."""
    first, again = (bench.ran(pair, SMALL, repeat=repeat).done for repeat in (0, 1))
    differs = difference(sequence(first), sequence(again))
    if differs:
        raise Problem(f"one seed, two runs, other events: {differs}; draw from job.rng alone")


def other_seed(bench: Bench, pair: Pair) -> None:
    """Another seed gives other events: if not in the first steps, then in a longer run, as far as both go."""
    for budget, whole in ((SMALL, True), (LONGER, False)):
        first, other = (bench.ran(pair, budget, seed=seed).done for seed in (0, 1))
        if difference(sequence(first), sequence(other), whole=whole):
            return
    if not first.names(VALUE):
        raise Skip(f"it records no value in {SECONDS} s")
    raise Problem("seeds 0 and 1 give the same events: draw from job.rng, or declare it in expected_failures")


def steps(bench: Bench, pair: Pair) -> None:
    """A budget of steps ends the run."""
    last = last_step(bench.ran(pair, SMALL).done)
    if last is None:
        raise Skip("it records no steps")
    if last[1] > STEPS:
        raise Problem(f"ignores its budget: {last[0]!r} is recorded at step {last[1]} of {STEPS}; ask job.spent")


def seconds(bench: Bench, pair: Pair) -> None:
    """A budget of seconds ends the run."""
    evidence = bench.ran(pair, LONGER)
    if evidence.reason.startswith("no end after"):
        raise Problem(f"ignores its budget of {SECONDS} s: {evidence.reason}; ask job.spent")
    took = evidence.done.wall_seconds
    if took is not None and took > SECONDS + PATIENCE:
        raise Problem(f"ignores its budget of {SECONDS} s: the work took {took:.1f} s; ask job.spent")


CHECKS = {
    "runs": runs,
    "trace": trace,
    "same-seed": same_seed,
    "other-seed": other_seed,
    "steps": steps,
    "seconds": seconds,
}
