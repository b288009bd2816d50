"""Running a launch's workers on a simulated machine."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from harness import HarnessError, Job, TraceWriter, Worker
from harness.devices import Failure, WorkerFailed, compute_threads, numba_threads, root_failure, with_shard
from harness_links.machine import Machine
from harness_links.simulated_communicator import SimulatedCommunicator
from harness_links.simulated_wire import Network, SimulatedWire

if TYPE_CHECKING:
    from harness_links.simulated import Simulated

Result = TypeVar("Result")


class Deadlock(WorkerFailed):
    """Every worker waits for another; the message says who for whom."""


def simulate(main: Callable[[Worker], Result], workers: int, job: Job[Any], device: Simulated) -> list[Result]:
    """Run ``main`` once per worker; what each returned, by rank."""
    topology = device.links()
    topology.check(workers)
    job.trace.fact("topology", topology.model_dump(mode="json"))
    job = replace(job, numerics=job.numerics and device.numerics)
    job.trace.fact("simulated", {"numerics": job.numerics})
    machine = Machine(speed=device.speed)
    network = Network(machine, topology, workers, by_size=not job.numerics)
    crew = Crew(main, job, network, device)
    for rank in range(workers):
        machine.add(rank, partial(crew.live, rank))
    with compute_threads(device.threads):
        machine.run()
    return crew.results()


class Crew(Generic[Result]):
    """The workers of one launch, and what became of them."""

    def __init__(self, main: Callable[[Worker], Result], job: Job[Any], network: Network, device: Simulated) -> None:
        self._main = main
        self._job = job
        self._network = network
        self._device = device
        self._launched = job.trace.clock()
        self._returned: dict[int, Result] = {}
        self._failures: list[Failure] = []

    def live(self, rank: int) -> None:
        """Spend one worker's life, in a thread of its own."""
        try:
            with numba_threads(self._device.threads):
                self._returned[rank] = self._work(rank)
        except BaseException as error:
            failure = Failure.of(rank, error, traceback.format_exc())
            self._failures.append(failure)
            self._network.machine.end(rank, failure.summary)

    def results(self) -> list[Result]:
        """What each returned, by rank; raise if one failed."""
        if self._network.machine.deadlock:
            raise Deadlock(self._network.machine.deadlock)
        if self._failures:
            raise root_failure(self._failures).error()
        return [self._returned[rank] for rank in sorted(self._returned)]

    def _work(self, rank: int) -> Result:
        machine, size = self._network.machine, self._network.size
        virtual = TraceWriter(self._job.trace.folder, clock=machine.clock)
        mine = with_shard(replace(self._job, trace=virtual), rank, cpu_clock=machine.current.busy_clock)
        # Virtual time begins at 0; beside what the cell's own process records it begins at the launch.
        mine.trace.fact("clock_offset", {"seconds": self._launched})
        wire = SimulatedWire(rank, size, self._network)
        with closing(mine.trace), SimulatedCommunicator(wire, mine.trace, numerics=mine.numerics) as comm:
            worker = SimulatedWorker(rank, size, mine, comm, machine=machine)
            with worker.running():
                return self._main(worker)


@dataclass
class SimulatedWorker(Worker):
    """A rank whose work is charged to a virtual clock."""

    machine: Machine = field(kw_only=True, repr=False)

    @contextmanager
    def work(
        self, name: str, cost: float | None = None, *, step: int = -1, peer: int = -1, value: float = float("nan")
    ) -> Iterator[bool]:
        """Record a span of ``cost`` seconds; without a cost, of the real time that its body takes, over the speed.

        The cost is charged first: what the body sends leaves once the work is done.
        """
        self._check(name, cost)
        with self.trace.span(name, step=step, peer=peer, value=value):
            actor = self.machine.current
            actor.charge(cost or 0.0)
            with actor.metered(cost is None):
                yield self.job.numerics

    def _check(self, name: str, cost: float | None) -> None:
        if cost is None and not self.job.numerics:
            raise HarnessError(f"work {name!r} has no cost: without numerics nothing else can tell how long it takes")
        if cost is not None and not 0 <= cost < float("inf"):
            raise HarnessError(f"work {name!r} costs {cost} seconds: give a number from 0 on")
