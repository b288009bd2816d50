"""Ways to divide the work of answering queries over video between ingest and query."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, NonNegativeInt

from harness import Job, Parallelizer, Worker
from harness_focus.workload import VideoWorkload

if TYPE_CHECKING:
    from harness_focus.trials.trial import Trial


UNHURRIED = {"seconds": "parameters are chosen before the first query, and that is never cut short"}

SETTLED = {"other-seed": "a seed changes nothing of a real video's labels, and these answers are the labels"}


class VideoParallelizer(Parallelizer[VideoWorkload]):
    """Ingests a whole stream, then answers a cold query for each of its dominant classes.

    All of them get the same objects and the same labels. A budget ends the queries; ingest is never cut short.
    """

    imports: ClassVar[tuple[str, ...]] = ("cv2", "torch", "harness_focus.footage.footage", "harness_focus.trials.trial")

    def run(self, job: Job[VideoWorkload]) -> None:
        """Do the whole of it in one worker."""
        job.launch(partial(_main, self), 1)

    @abstractmethod
    def answer(self, trial: Trial) -> None:
        """Ingest, and answer; facts go to the trial's trace."""


def _main(way: VideoParallelizer, worker: Worker) -> None:
    from harness_focus.trials.trial import Trial

    way.answer(Trial(worker.job))


class Focus(VideoParallelizer):
    """Focus: a cheap network and clustering at ingest, the expensive network on clusters (Hsieh et al., OSDI 2018)."""

    name: ClassVar[str] = "focus"
    expected_failures: ClassVar[Mapping[str, str]] = UNHURRIED

    policy: Literal["opt-ingest", "balance", "opt-query"] = Field(
        "balance", description="which point of the front: least ingest, least of both together, or least query cost"
    )

    def answer(self, trial: Trial) -> None:
        """Choose parameters, index, query."""
        from harness_focus.trials.focusing import answer

        answer(trial, self.policy)


class IngestAll(VideoParallelizer):
    """All at ingest: the expensive network on every object as it comes; queries look its labels up."""

    name: ClassVar[str] = "ingest-all"
    expected_failures: ClassVar[Mapping[str, str]] = SETTLED

    def answer(self, trial: Trial) -> None:
        """Every query is free."""
        trial.trace.count("ingest_calls", len(trial.footage.labels))
        trial.ask(lambda label: (trial.labelled(label), 0))


class QueryAll(VideoParallelizer):
    """All at query: the expensive network on every object, for every query."""

    name: ClassVar[str] = "query-all"
    expected_failures: ClassVar[Mapping[str, str]] = SETTLED

    def answer(self, trial: Trial) -> None:
        """Ingest is free."""
        trial.ask(lambda label: (trial.labelled(label), len(trial.footage.labels)))


class NoScope(VideoParallelizer):
    """NoScope: at query, a difference detector, then a small network for the class (Kang et al., VLDB 2017)."""

    name: ClassVar[str] = "noscope"
    expected_failures: ClassVar[Mapping[str, str]] = UNHURRIED

    side: int = Field(48, ge=32, description="pixels a side of what the small network sees")
    blocks: NonNegativeInt = Field(
        0, description="published blocks that it begins with; none is from scratch, as in the paper"
    )

    def answer(self, trial: Trial) -> None:
        """Teach the small network, choose thresholds for each class, and query."""
        from harness_focus.trials.noscope import answer

        answer(trial, side=self.side, blocks=self.blocks)


PARALLELIZERS: tuple[type[Parallelizer[Any]], ...] = (Focus, IngestAll, NoScope, QueryAll)
