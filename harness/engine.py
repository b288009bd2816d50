"""Running a run's cells: block by block, in random order within a block, whatever happens to any of them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from pathlib import Path

from harness.components import Device
from harness.environment import capture
from harness.errors import HarnessError
from harness.process import run_cell, warm_up
from harness.records import CellResult, CellSpec
from harness.registry import Registry
from harness.store import Run, RunRecord, SuiteRecord, write_atomically
from harness.suite import Suite

OUTPUT_CHARACTERS = 4000
Observer = Callable[[CellSpec, CellResult | None], None]


def begin(suites: Sequence[Suite], folder: Path, registry: Registry) -> Run:
    """Make the folder of a new run of these suites; no cell runs yet."""
    records = tuple(SuiteRecord(name=s.name, title=s.title, text=s.text, claims=s.claims) for s in suites)
    record = RunRecord(
        created=date.today().isoformat(), suites=records, cells=_cells(suites), environment=capture(registry)
    )
    return Run.create(folder, record)


def resume(suites: Sequence[Suite], folder: Path) -> Run:
    """Open the run to go on with, if it holds the cells of these very suites."""
    run = Run.open(folder)
    if run.record.cells != _cells(suites):
        raise HarnessError("was made of other cells: run the same suites with the same options", where=str(folder))
    run.results()
    return run


def _cells(suites: Sequence[Suite]) -> tuple[CellSpec, ...]:
    return tuple(cell for suite in suites for cell in suite.cells)


def run_cells(
    run: Run,
    registry: Registry,
    *,
    jobs: int = 1,
    blocks: Collection[str] | None = None,
    observe: Observer = lambda cell, result: None,
) -> None:
    """Run every cell that has no result yet, or those of some blocks alone.

    ``observe`` sees each start (``None``) and each result. A block of which only some cells are done
    is taken again whole where its times matter, since cells that are compared must have run together.
    """
    waiting = [cell for cell in order(run, _timed(run, registry)) if blocks is None or cell.block in blocks]
    preload(waiting, registry)
    attempt = _Attempt(run, registry, observe)
    if jobs == 1:
        for cell in waiting:
            attempt(cell)
        return
    with ThreadPoolExecutor(jobs) as pool:
        try:
            list(pool.map(attempt, waiting))
        except BaseException:
            attempt.stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def preload(cells: Iterable[CellSpec], registry: Registry) -> None:
    """Have what the cells import be there when their processes start; to be called before the first one does."""
    warm_up(_imports(cells, registry))


def order(run: Run, timed: bool) -> list[CellSpec]:
    """The cells still to run, in the run's own random order: seeded, so that resuming keeps to it."""
    blocks: dict[tuple[str, str], list[CellSpec]] = {}
    for cell in run.record.cells:
        blocks.setdefault((cell.suite, cell.block), []).append(cell)
    finished = set(run.results())
    waiting: list[CellSpec] = []
    for (suite, block), cells in blocks.items():
        missing = [cell for cell in cells if cell.id not in finished]
        again = cells if timed and missing else missing
        waiting += random.Random(f"{suite}/{block}").sample(again, len(again))
    return waiting


def _timed(run: Run, registry: Registry) -> bool:
    metrics = {metric.name for cell in run.record.cells if cell.alone for metric in cell.metrics}
    return any(registry.offer("metric", name).thing.timed for name in metrics)


def _imports(cells: Iterable[CellSpec], registry: Registry) -> set[str]:
    modules: set[str] = set()
    running = [cell for cell in cells if not cell.skip]
    for kind in ("workload", "parallelizer", "device"):
        for name in {getattr(cell, kind).name for cell in running}:
            modules.update(registry.component(kind, name).imports)
    return modules


class _Attempt:
    """Run one cell and store what came of it."""

    def __init__(self, run: Run, registry: Registry, observe: Observer) -> None:
        self.run = run
        self.registry = registry
        self.observe = observe
        self.stop = threading.Event()

    def __call__(self, cell: CellSpec) -> None:
        self.registry.observe("harness_cell_started", cell=cell)
        self.observe(cell, None)
        result = CellResult(cell=cell, outcome="skipped", reason=cell.skip) if cell.skip else self._ran(cell)
        self.run.save(result)
        self.observe(cell, result)
        self.registry.observe("harness_cell_finished", cell=cell, result=result)

    def _ran(self, cell: CellSpec) -> CellResult:
        folder = self.run.clear(cell)
        path = folder / "spec.json"
        write_atomically(path, cell.model_dump_json(indent=1))
        device = self.registry.component("device", cell.device.name)
        end = run_cell(cell, path, start=getattr(device, "start", "fork"), stop=self.stop)
        result = self.run.result(cell)
        if end.outcome == "done" and result is None:
            return CellResult(cell=cell, outcome="failed", reason="ended and left no result", output=_tail(folder))
        if result is None or end.outcome == "timeout":
            outcome = "failed" if end.outcome == "done" else end.outcome
            return CellResult(cell=cell, outcome=outcome, reason=end.reason, output=_tail(folder))
        return result if result.outcome == "done" else result.model_copy(update={"output": _tail(folder)})


def _tail(folder: Path) -> str:
    with suppress(OSError):
        return (folder / "output.txt").read_text(encoding="utf-8", errors="replace")[-OUTPUT_CHARACTERS:]
    return ""


def commands(run: Run, registry: Registry, *, host: str = "$HOST", nodes: int = 1) -> list[str]:
    """A torchrun line for each cell still to run, for machines that this one cannot start processes on."""
    lines = []
    for cell in run.record.cells:
        if run.result(cell) is None:
            path = run.clear(cell) / "spec.json"
            write_atomically(path, cell.model_dump_json(indent=1))
            launch = f"torchrun --nnodes={nodes} --nproc-per-node={_ranks(cell, registry) // nodes}"
            meeting = f"--rdzv-backend=c10d --rdzv-endpoint={host}:29400"
            lines.append(f"{launch} {meeting} -m harness cell {path}")
    return lines


def _ranks(cell: CellSpec, registry: Registry) -> int:
    """How many processes a launcher starts for a cell: most devices start their workers themselves."""
    device: Device = registry.build("device", cell.device.name, cell.device.parameters)
    parallelizer = registry.build("parallelizer", cell.parallelizer.name, cell.parallelizer.parameters)
    return getattr(parallelizer, "workers", 1) if device.start == "torchrun" else 1
