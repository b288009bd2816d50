"""Blocks on threads: each waits only for the blocks that must be over before it, not for all of a clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event, Thread

from harness_orion.analysis.plan import Plan
from harness_orion.analysis.scheduling import Block


@dataclass(frozen=True)
class Step:
    """Packed entries [start, stop), which ``worker`` runs when the steps numbered ``after`` are over."""

    number: int
    worker: int
    start: int
    stop: int
    after: tuple[int, ...]


def steps_of(plan: Plan, clocks: Sequence[Sequence[Block]]) -> list[Step]:
    """The steps of a schedule, in the order of its clocks; their entries lie one after the other.

    A block waits for those before it that share its space or its time partition; in a unimodular plan, for
    all of the clock before. What the same worker ran before is over anyway.
    """
    steps: list[Step] = []
    begin = 0
    last_clock: tuple[Step, ...] = ()
    this_clock: tuple[Step, ...] = ()
    by_space: dict[int, Step] = {}
    by_time: dict[int, Step] = {}
    for clock in clocks:
        last_clock, this_clock = this_clock, ()
        made = []
        for block in clock:
            if plan.strategy == "unimodular":
                needed = list(last_clock)
            else:
                needed = [d[p] for d, p in ((by_space, block.space), (by_time, block.time)) if p in d]
            after = tuple(sorted({s.number for s in needed if s.worker != block.worker}))
            step = Step(len(steps), block.worker, begin, begin + len(block.positions), after)
            begin = step.stop
            steps.append(step)
            made.append((block, step))
        this_clock = tuple(step for _, step in made)
        if plan.time_dim is not None:
            for block, step in made:
                by_space[block.space] = by_time[block.time] = step
    return steps


def run_steps(steps: Sequence[Step], run: Callable[[Step], None]) -> None:
    """Run each worker's steps in order, the first's here, the others' on threads; raise the first error at the end."""
    team = _Team([Event() for _ in steps], run, [])
    here, *others = [[s for s in steps if s.worker == worker] for worker in sorted({s.worker for s in steps})]
    threads = [Thread(target=team.work, args=(part,), name=f"orion-{n}") for n, part in enumerate(others, start=1)]
    for thread in threads:
        thread.start()
    team.work(here)
    for thread in threads:
        thread.join()
    if team.failed:
        raise team.failed[0]


@dataclass
class _Team:
    over: list[Event]
    run: Callable[[Step], None]
    failed: list[BaseException]

    def work(self, steps: Sequence[Step]) -> None:
        try:
            for step in steps:
                for number in step.after:
                    self.over[number].wait()
                if self.failed:
                    return
                self.run(step)
                self.over[step.number].set()
        except BaseException as error:
            self.failed.append(error)
        finally:
            # Nobody may wait for what will not run.
            for step in steps:
                self.over[step.number].set()
