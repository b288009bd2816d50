"""What each rank of a pipeline does, and in what order.

The unit of work is a minibatch, or one microbatch of it. Unit u is handled in every stage by replica
u mod r of its r replicas: forward and backward, so that what the forward kept is there for the
backward. A replica begins with some forwards more than its stage's warm-up and goes on with one
backward, one forward, and so on; no forward is left at the end of a segment, when the pipeline is
drained. One generator gives them all:

- 1F1B and 1F1B-RR (PipeDream, SOSP 2019, section 3.2): a segment is an epoch, the warm-up of stage s is
  floor((W - 1 - workers of earlier stages) / r_s), and a stage updates its weights each r_s minibatches;
- GPipe: a segment is a minibatch, the warm-up is all of its microbatches, and one update ends it;
- model parallelism: GPipe with one microbatch, so that one stage works at a time.

Weight versions count the updates of a stage since the segment began.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import lcm
from typing import Literal, NamedTuple

from harness import HarnessError

Versions = Literal["weight_stashing", "vertical_sync", "naive"]


class Operation(NamedTuple):
    """One thing to do.

    ``version`` is the weight version that a forward or backward uses, or that an update makes. An
    update includes all units before ``unit``, and no version before ``oldest`` is used after it.
    ``closing`` is a replica's last backward before an update.
    """

    kind: Literal["forward", "backward", "update"]
    unit: int
    version: int
    oldest: int = 0
    closing: bool = False


@dataclass(frozen=True)
class Schedule:
    """The order of work for stages of so many replicas.

    ``warmups`` are forwards before the first backward, by stage; ``rounds`` the units that one update of
    a stage averages; ``segment`` the minibatches between two drains of the pipeline (an epoch if ``None``);
    ``layout`` the ranks of each stage's replicas, in the order of the stages unless given.
    """

    replicas: tuple[int, ...]
    warmups: tuple[int, ...]
    rounds: tuple[int, ...]
    microbatches: int = 1
    segment: int | None = None
    versions: Versions = "weight_stashing"
    layout: tuple[tuple[int, ...], ...] | None = None

    @property
    def workers(self) -> int:
        """All replicas of all stages."""
        return sum(self.replicas)

    @property
    def ahead(self) -> int:
        """The most units that the input stage has begun and not finished after an update, all replicas together."""
        return self.warmups[0] * self.replicas[0]

    @property
    def period(self) -> int:
        """Minibatches after which all stages end a round together."""
        return max(1, lcm(*self.rounds) // self.microbatches)

    @property
    def last(self) -> int:
        """The output stage."""
        return len(self.replicas) - 1

    def place(self, rank: int) -> tuple[int, int]:
        """The stage and replica of a rank."""
        for stage in range(len(self.replicas)):
            if rank in self.ranks(stage):
                return stage, self.ranks(stage).index(rank)
        raise HarnessError(f"worker {rank} is in no stage: the pipeline has {self.workers} workers")

    def ranks(self, stage: int) -> Sequence[int]:
        """The ranks of a stage's replicas."""
        if self.layout:
            return self.layout[stage]
        first = sum(self.replicas[:stage])
        return range(first, first + self.replicas[stage])

    def handler(self, stage: int, unit: int) -> int:
        """The rank that handles a unit in a stage."""
        return self.ranks(stage)[unit % self.replicas[stage]]

    def operations(self, stage: int, replica: int, admitted: Callable[[int], bool]) -> Iterator[Operation]:
        """One replica's work on a segment, whose units are those ``admitted``, from 0 on without a gap."""
        size, stride = self.rounds[stage], self.replicas[stage]
        waiting: deque[Operation] = deque()
        unit, updates = replica, 0
        while True:
            while len(waiting) <= self.warmups[stage] and admitted(unit):
                waiting.append(Operation("forward", unit, self._version(stage, unit, updates)))
                yield waiting[-1]
                unit += stride
            if not waiting:
                break
            done = waiting.popleft()
            version = updates if self.versions == "naive" else done.version
            closing = (done.unit + stride) // size > updates
            yield Operation("backward", done.unit, version, closing=closing)
            if closing:
                updates += 1
                coming = waiting[0].version if waiting else self._version(stage, unit, updates)
                oldest = updates if self.versions == "naive" else min(coming, updates)
                yield Operation("update", _end(size, updates, admitted), updates, oldest)
        if admitted(updates * size):  # The others have units of a last, short round; this replica has none.
            yield Operation("update", _end(size, updates + 1, admitted), updates + 1, updates + 1)

    def _version(self, stage: int, unit: int, updates: int) -> int:
        """The version that a forward uses: the newest, or with vertical sync the one the input stage used."""
        if self.versions != "vertical_sync" or self.rounds[stage] != self.replicas[stage]:
            return updates
        inputs = self.replicas[0]
        return max(0, unit // inputs - self.warmups[0]) * inputs // self.replicas[stage]


def one_forward_one_backward(
    replicas: Sequence[int],
    *,
    depth: int | None = None,
    flush: int | None = None,
    versions: Versions = "weight_stashing",
) -> Schedule:
    """PipeDream's schedule; ``depth`` minibatches in flight at each input replica (NOAM if ``None``)."""
    counts = tuple(replicas)
    return Schedule(counts, warmups(counts, depth), counts, segment=flush, versions=versions)


def fill_and_drain(replicas: Sequence[int], microbatches: int, *, alternating: bool = False) -> Schedule:
    """GPipe's schedule: all forwards of a minibatch, then all backwards, then one update.

    With ``alternating``, forwards and backwards take turns as in 1F1B, which keeps fewer activations.
    """
    counts = tuple(replicas)
    first = warmups(counts) if alternating else (microbatches,) * len(counts)
    return Schedule(counts, first, (microbatches,) * len(counts), microbatches, segment=1)


def noam(replicas: Sequence[int]) -> int:
    """NUM_OPT_ACTIVE_MINIBATCHES: workers over replicas of the input stage, rounded up."""
    return -(-sum(replicas) // replicas[0])


def warmups(replicas: Sequence[int], depth: int | None = None) -> tuple[int, ...]:
    """Forwards before the first backward, by stage.

    Another depth than NOAM adds to, or takes from, every stage but the last as much as keeps each
    stage from waiting for forwards that the one before it has not begun.
    """
    optimal = noam(replicas)
    counts = [(depth or optimal) - 1] if len(replicas) > 1 else [0]
    for stage in range(1, len(replicas)):
        natural = (sum(replicas[stage:]) - 1) // replicas[stage]
        deeper = max(0, counts[0] + 1 - optimal) if stage < len(replicas) - 1 else 0
        counts.append(min(natural + deeper, counts[-1] * replicas[stage - 1] // replicas[stage]))
    return tuple(counts)


def _end(size: int, rounds: int, admitted: Callable[[int], bool]) -> int:
    """Where the round ends; the last of a segment may be short."""
    end = rounds * size
    while not admitted(end - 1):
        end -= 1
    return end
