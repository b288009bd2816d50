"""The engine ``submitit``: each block a job of Slurm, its cells one after another on the same machines.

The run's folder has to lie where every machine sees it. The first task of a job runs the cells and writes
their results there, as the local engine does; the others are ranks of those cells whose device wants a
launcher. Without Slurm, submitit starts the same jobs on this machine.
"""

from __future__ import annotations

import math
import os
import threading
import time
import tomllib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.attempt import OUTPUT_CHARACTERS, attempt, make_ready, ranks, ranks_a_node
from harness.engine import Observer, order, preload, tell
from harness.errors import HarnessError, NotAvailable
from harness.process import run_cell
from harness.records import CellResult, CellSpec
from harness.registry import Registry, load
from harness.store import Run

if TYPE_CHECKING:
    from submitit import AutoExecutor

POLL_SECONDS = 0.2
GRACE_SECONDS = 5.0
START_SECONDS = 60.0
SHARED = ("cpus_per_task", "gpus_per_node", "mem_gb", "nodes")


def parameters(given: Sequence[str]) -> dict[str, Any]:
    """What to ask Slurm for, from ``KEY=VALUE``: submitit's shared names, else sbatch's options."""
    found: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not (key.isidentifier() and equals and value):
            raise HarnessError(f"write KEY=VALUE, such as partition=gpu, not {text!r}", where="--slurm")
        found[key if key in (*SHARED, "cluster") else f"slurm_{key}"] = _value(value)
    return found


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def run_cells(
    run: Run,
    registry: Registry,
    asked: Mapping[str, Any],
    *,
    jobs: int = 1,
    observe: Observer = lambda cell, result: None,
) -> None:
    """Submit every block that has cells to run, and wait for their results; without Slurm, ``jobs`` at a time."""
    executor, nodes = _executor(run.folder / "jobs", asked), asked.get("nodes", 1)
    waiting = deque(_parts(run, registry))
    under_way: list[_Job] = []
    try:
        while waiting or under_way:
            while waiting and (len(under_way) < jobs or executor.cluster == "slurm"):
                under_way.append(_Job(run, waiting.popleft(), registry, executor, observe, nodes=nodes))
            time.sleep(POLL_SECONDS)
            under_way = [job for job in under_way if job.collect()]
    except BaseException:
        for job in under_way:
            job.handle.cancel()
        raise


def _executor(folder: Path, asked: Mapping[str, Any]) -> AutoExecutor:
    if find_spec("submitit") is None:
        raise NotAvailable("the engine submitit needs submitit: pip install 'paper-harness[slurm]'")
    from submitit import AutoExecutor

    others = dict(asked)
    try:
        executor = AutoExecutor(folder=folder.resolve(), cluster=others.pop("cluster", None))
        # What is timed has a machine to itself.
        executor.update_parameters(**{"slurm_exclusive": True, **others})
    except (NameError, ValueError, TypeError, AssertionError, RuntimeError) as error:
        raise HarnessError(" ".join(str(error).split()), where="--slurm") from None
    return executor


def _parts(run: Run, registry: Registry) -> list[list[CellSpec]]:
    """The cells to run by block, and by how many ranks they need."""
    parts: dict[tuple[str, str, int], list[CellSpec]] = {}
    for cell in order(run, registry):
        size = 1 if cell.skip else ranks(cell, registry)
        parts.setdefault((cell.suite, cell.block, size), []).append(cell)
    return list(parts.values())


class _Job:
    """Some cells that run one after another in a job, as seen from where it was submitted."""

    def __init__(
        self,
        run: Run,
        cells: Sequence[CellSpec],
        registry: Registry,
        executor: AutoExecutor,
        observe: Observer,
        *,
        nodes: int,
    ) -> None:
        self.run = run
        self.registry = registry
        self.observe = observe
        self.left = deque(cells)
        self.ended: float | None = None
        for cell in cells:
            make_ready(run, cell)
        self.handle = _submit(executor, run, cells, registry, nodes)
        self._tell_of_next()

    def collect(self) -> bool:
        """Take in the results that are there; whether more are to come."""
        if self.ended is None and self.handle.done():
            self.ended = time.monotonic()
        # Files that another machine wrote may take a moment to be seen.
        late = self.ended is not None and time.monotonic() > self.ended + GRACE_SECONDS
        for result in self._results(late):
            tell(self.registry, self.observe, self.left.popleft(), result)
            self._tell_of_next()
        return bool(self.left)

    def _results(self, late: bool) -> Iterator[CellResult]:
        while self.left:
            result = self.run.result(self.left[0])
            if result is not None and result.seconds is None:
                result = None  # The cell's own word, to which whoever watches it has yet to add.
            if result is None and late:
                result = self._lost(self.left[0])
                self.run.save(result)
            if result is None:
                return
            yield result

    def _lost(self, cell: CellSpec) -> CellResult:
        reason = f"job {self.handle.job_id} ended ({self.handle.state}) before this cell did"
        return CellResult(
            cell=cell, outcome="failed", reason=reason, output=(self.handle.stderr() or "")[-OUTPUT_CHARACTERS:]
        )

    def _tell_of_next(self) -> None:
        if self.left:
            tell(self.registry, self.observe, self.left[0])


def _submit(executor: AutoExecutor, run: Run, cells: Sequence[CellSpec], registry: Registry, nodes: int) -> Any:
    """Submit cells that need as many ranks each; one that needs a single one gets a single machine."""
    tasks = 1 if cells[0].skip else ranks_a_node(cells[0], registry, nodes)
    minutes = math.ceil(sum(cell.time_limit + START_SECONDS for cell in cells) / 60)
    single = cells[0].skip or ranks(cells[0], registry) == 1
    executor.update_parameters(
        name=cells[0].suite, timeout_min=minutes, nodes=1 if single else nodes, tasks_per_node=tasks
    )
    return executor.submit(on_machine, run.folder.resolve(), tuple(cell.id for cell in cells))


def on_machine(folder: Path, names: Sequence[str]) -> None:
    """Run some cells of a run, one after another; called in every task of a job."""
    run, registry = Run.open(folder), load()
    named = {cell.id: cell for cell in run.record.cells}
    cells = [named[name] for name in names]
    task, port = _place()
    preload(cells, registry)
    for i, cell in enumerate(cells):
        os.environ["MASTER_PORT"] = str(port + i)
        if task == 0:
            attempt(run, cell, registry)
        else:
            run_cell(cell, run.cell_folder(cell) / "spec.json", start="torchrun", stop=threading.Event())


def _place() -> tuple[int, int]:
    """Which task of its job this is, and a port for the ranks to meet at; tells torch's ranks where they are."""
    from submitit.helpers import TorchDistributedEnvironment

    place = TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
    return place.rank, place.master_port
