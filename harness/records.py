"""What is written on disk about a cell: its specification and its result."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.components import Budget, Censored

FORMAT = 1
Outcome = Literal["done", "failed", "timeout", "skipped"]
GroupKey = tuple[str, str, str, str]


class Record(BaseModel):
    """A frozen JSON record; unknown keys are refused, so that another version's file is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ComponentSpec(Record):
    """A component by name and parameters, and the label it has in tables."""

    name: str
    label: str
    parameters: dict[str, Any] = {}


class CellSpec(Record):
    """Everything that determines one cell."""

    id: str
    suite: str
    block: str
    workload: ComponentSpec
    parallelizer: ComponentSpec
    device: ComponentSpec
    seed: int
    budget: Budget = Budget()
    metrics: tuple[ComponentSpec, ...] = ()
    time_limit: float = Field(600.0, description="seconds after which the cell is stopped")
    memory_limit: int = Field(16 * 2**30, description="bytes of resident memory, all its processes together")
    numerics: bool = True
    python: str | None = Field(None, description="another interpreter, for components whose pins clash")
    alone: bool = Field(True, description="nothing else runs beside it; metrics of time need that")
    skip: str = ""

    @property
    def group(self) -> GroupKey:
        """What it has in common with the cells that differ in their seed alone."""
        return (self.suite, self.workload.label, self.parallelizer.label, self.device.label)


class CellResult(Record):
    """What a cell gave. A metric that is ``None`` was not measured; ``censored`` has lower bounds."""

    format: int = FORMAT
    cell: CellSpec
    outcome: Outcome
    reason: str = ""
    metrics: dict[str, float | None] = {}
    censored: dict[str, float] = {}
    prepare_seconds: float | None = None
    started: str = ""
    host: str = Field("", description="the machine that it ran on")
    seconds: float | None = Field(None, description="from the start of its process to its end")
    output: str = Field("", description="the end of what the cell printed, where it failed")

    def measured(self, metric: str) -> float | Censored | None:
        """A metric as it was measured; of a cell that did not end well nothing counts."""
        if self.outcome != "done":
            return None
        if metric in self.censored:
            return Censored(self.censored[metric])
        return self.metrics.get(metric)


class Selector(Record):
    """Which cells a claim speaks of: a glob on the label (or an exact component name) for each coordinate.

    ``best`` ("min METRIC" or "max METRIC") keeps, among the labels that fit, the one whose median is
    best, on ``on_seeds`` where given; those seeds are not reported. ``when`` ("b.accuracy - a.accuracy >= -0.02")
    says which of them come into question, themselves and next to aliases without ``best``.
    """

    workload: str | None = Field(None, description="which workload; any if there is none")
    parallelizer: str | None = Field(None, description="which parallelizer")
    device: str | None = Field(None, description="which device")
    best: str | None = Field(None, description="'min METRIC' or 'max METRIC', where several labels fit")
    on_seeds: tuple[int, ...] = Field((), description="seeds that choose the best, and are not reported")
    when: str | None = Field(None, description="what the median of a candidate for best has to meet: 'b.loss <= 1'")


class ClaimSpec(Record):
    """A sentence of a paper, made executable."""

    id: str = Field(description="short, unique in its suite")
    says: str = Field(description="the paper's sentence")
    source: str = Field(description="where it stands: 'NeurIPS 2018, abstract'")
    cells: dict[str, Selector] = Field(description="which cells each name in the measure stands for")
    measure: str = Field(description="arithmetic on metrics of the named cells: 'a.risk / b.risk'")
    holds: str = Field(description="'<= 1.02', '0.98..1.02', or '>= 0.95 in 4 of 5'")
    when: str | None = Field(None, description="a condition that a pair has to meet: 'b.final_accuracy >= 0.8'")
    estimator: str | None = Field(None, description="reduces all pairs to a number, where no formula does")
    each: Literal["workload", "parallelizer", "device"] | None = Field(None, description="one claim for each label")
    paper: float | str | None = Field(None, description="the paper's figure, where it gives one")
    evidence: Literal["verified", "reported"] | None = Field(
        None, description="whether that figure was seen in the paper, or told by others"
    )


Verdict = Literal["holds", "falls short", "inconclusive", "not measured"]


class ClaimResult(Record):
    """What came of a claim: the estimate, its 95 % interval, and whether it holds."""

    suite: str = ""
    id: str
    says: str
    source: str
    measure: str = Field("", description="the formula, and what its names stand for")
    paper: float | str | None = None
    evidence: Literal["verified", "reported"] | None = None
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    pairs: int = 0
    unreached: int = Field(0, description="pairs left out because neither side reached its target")
    holds: str
    verdict: Verdict
    reason: str = ""
