"""A query: the clusters that may hold a class, and the expensive network on what stands for each.

Hsieh et al., OSDI 2018, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from harness import HarnessError, UnknownName
from harness_focus.index.reading import Candidate, Index
from harness_focus.networks import EXPENSIVE_BATCH, OTHER, ExpensiveNetwork
from harness_focus.video.pictures import decode
from harness_focus.video.segments import present


@dataclass(frozen=True)
class Hit:
    """A cluster of the class that was asked for: its frames with their seconds, and what stands for it, as PNG."""

    cluster: int
    probability: float
    frames: tuple[tuple[int, float], ...]
    picture: bytes


@dataclass(frozen=True)
class Query:
    """What is asked for: a class, the seconds to look at, and how many of a cluster's likeliest classes count."""

    label: str
    k: int
    since: float = 0.0
    until: float = math.inf

    def check(self, index: Index, expensive: ExpensiveNetwork) -> None:
        """Raise HarnessError for a class that either network lacks, a time outside, or a K beyond the index's."""
        ranked = expensive.classes if OTHER in index.classes else index.classes
        known = sorted({*expensive.classes} & {*ranked} - {OTHER})
        if self.label not in known:
            raise UnknownName("class", self.label, known)
        end = index.position().seconds
        if self.since < 0 or self.since > end or self.until <= self.since:
            raise HarnessError(
                f"{self.since:g} to {self.until:g} s is outside what was ingested: 0 to {end:.1f} s", where=index.source
            )
        if not 1 <= self.k <= int(index.settings["k"]):
            raise HarnessError(f"K must be from 1 to {index.settings['k']}, which the index has; not {self.k}")


@dataclass(frozen=True)
class Answer:
    """All that was found in one stream: clusters, and the ``seconds`` in which the class is present.

    ``since`` and ``until`` are the part of the stream that was looked at.
    """

    query: Query
    source: str
    hits: tuple[Hit, ...]
    seconds: tuple[int, ...]
    since: float
    until: float

    @classmethod
    def of(cls, index: Index, query: Query, hits: Iterable[Hit]) -> Answer:
        """Put together what was found in an index."""
        found = tuple(hits)
        seconds = present({frame for hit in found for frame in hit.frames}, index.frames_in())
        until = min(query.until, index.position().seconds)
        return cls(query, index.source, found, tuple(seconds), query.since, until)


def hits(index: Index, query: Query, expensive: ExpensiveNetwork) -> Iterator[Hit]:
    """Answers as they come, the likeliest clusters first; verdicts are kept, so that no cluster is judged twice."""
    query.check(index, expensive)
    found = iter(index.candidates(query.label, k=query.k, since=query.since, until=query.until))
    while candidates := list(islice(found, EXPENSIVE_BATCH)):
        verdicts = judged(index, candidates, expensive)
        for candidate in candidates:
            if verdicts[candidate.cluster] == query.label:
                frames = index.frames(candidate.cluster, since=query.since, until=query.until)
                yield Hit(candidate.cluster, candidate.probability, tuple(frames), candidate.picture)


def judged(index: Index, candidates: Iterable[Candidate], expensive: ExpensiveNetwork) -> dict[int, str]:
    """What the expensive network says of each cluster, asked only where it was not before."""
    kept = {candidate: index.verdict(candidate, expensive.identity) for candidate in candidates}
    unknown = [candidate for candidate, label in kept.items() if label is None]
    if unknown:
        labels = expensive([decode(candidate.picture) for candidate in unknown])
        new = dict(zip(unknown, labels, strict=True))
        index.judge(new, expensive.identity)
        kept.update(new)
    return {candidate.cluster: label for candidate, label in kept.items() if label is not None}
