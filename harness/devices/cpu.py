"""The device ``cpu``: one worker in the calling thread, or several as threads of this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, PositiveInt

from harness.components import Device, Job, Result
from harness.devices.compute import compute_threads, numba_threads
from harness.devices.messages import MessageCommunicator
from harness.devices.running import Failure, root_failure, run_main, with_shard
from harness.devices.threads import ThreadWire, thread_wires
from harness.worker import Worker

if TYPE_CHECKING:
    from harness.devices.wire import Wire


class Cpu(Device):
    """The processor of this machine: one worker runs inline, several as threads of one process."""

    name: ClassVar[str] = "cpu"

    threads: PositiveInt = Field(1, description="compute threads a worker")

    def launch(self, main: Callable[[Worker], Result], workers: int, job: Job[Any]) -> list[Result]:
        """Run ``main`` in this process; what it raises inline passes through."""
        with compute_threads(self.threads):
            wires = thread_wires(workers)
            if workers == 1:
                return [run_here(main, job, wires[0])]
            return self._run_threads(main, job, wires)

    def _run_threads(
        self, main: Callable[[Worker], Result], job: Job[Any], wires: Sequence[ThreadWire]
    ) -> list[Result]:
        def run(wire: ThreadWire) -> Result:
            with numba_threads(self.threads):
                return run_here(main, job, wire)

        with ThreadPoolExecutor(len(wires), "worker") as pool:
            futures = [pool.submit(run, wire) for wire in wires]
            try:
                first, _ = wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                # Nobody can stop a thread, but its next wait for another can be made to fail.
                for wire, future in zip(wires, futures, strict=True):
                    if not future.done():
                        wire.close("the launch was stopped")
        return _results(futures, first)


def run_here(
    main: Callable[[Worker], Result],
    job: Job[Any],
    wire: Wire,
    *,
    torch_device: str = "cpu",
    synchronise: Callable[[], None] = lambda: None,
) -> Result:
    """Run one worker in the calling thread; this process's memory is measured by who owns it."""
    # Threads share a process, and its CPU seconds; one worker may use several threads for its own.
    cpu_clock = time.thread_time if wire.size > 1 else time.process_time
    mine = with_shard(job, wire.rank, cpu_clock=cpu_clock)
    with closing(mine.trace), MessageCommunicator(wire, mine.trace) as comm:
        return run_main(main, Worker(wire.rank, wire.size, mine, comm, torch_device, synchronise))


def _results(futures: Sequence[Future[Result]], first: Collection[Future[Result]]) -> list[Result]:
    """Collect what each returned, by rank; raise a failure if there is one, of those among the ``first`` if it can."""
    errors = {rank: error for rank, future in enumerate(futures) if (error := future.exception())}
    if errors:
        order = sorted(errors, key=lambda rank: futures[rank] not in first)
        root = root_failure([Failure.of(rank, errors[rank]) for rank in order])
        raise root.error() from errors[root.rank]
    return [future.result() for future in futures]
