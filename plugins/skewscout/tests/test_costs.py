"""What steps and travels tell a virtual clock, and that warming up leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from small import Small
from training import job_of, losses, trained

from harness import Worker
from harness.devices import MessageCommunicator, thread_wires
from harness_skewscout.learning import learn
from harness_skewscout.parallelizers import Bsp, SkewScout

WORKLOAD = Small(split="label", batch_size=20, partitions=5)


@dataclass
class Noting(Worker):
    """Notes what work is said to cost."""

    costs: list[tuple[str, float | None]] = field(default_factory=list, kw_only=True)

    @contextmanager
    def work(
        self, name: str, cost: float | None = None, *, step: int = -1, peer: int = -1, value: float = float("nan")
    ) -> Iterator[bool]:
        self.costs.append((name, cost))
        yield True


def costs(way: SkewScout, folder: Path) -> list[tuple[str, float | None]]:
    job = job_of(WORKLOAD, folder, 4)
    (wire,) = thread_wires(1)
    with MessageCommunicator(wire, job.trace) as comm:
        worker = Noting(0, 1, job, comm)
        learn(way, worker)
    job.trace.close()
    return worker.costs


def test_a_travel_costs_two_forward_passes_over_its_samples(tmp_path: Path) -> None:
    way = SkewScout(algorithm="fedavg", period=3, samples=60, step_cost=0.012)
    # A step takes three passes over 4 samples, so a pass over one takes a millisecond.
    assert costs(way, tmp_path) == [("step", 0.012)] * 2 + [("travel", pytest.approx(0.12))] + [("step", 0.012)] * 2


def test_without_a_cost_real_time_counts(tmp_path: Path) -> None:
    way = SkewScout(algorithm="fedavg", period=3, samples=60)
    assert {cost for _, cost in costs(way, tmp_path)} == {None}


def test_warming_up_changes_nothing_of_what_follows(tmp_path: Path) -> None:
    cold = losses(trained(Bsp(), WORKLOAD, tmp_path / "cold", 5))
    Bsp().prepare(job_of(WORKLOAD, tmp_path, 5))
    assert losses(trained(Bsp(), WORKLOAD, tmp_path / "warm", 5)) == cold
