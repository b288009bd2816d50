"""Running a run's cells: block by block, in random order within a block, whatever happens to any of them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from harness.ahead import Making, make_ahead
from harness.attempt import attempt, make_ready, ranks, ranks_a_node
from harness.environment import capture
from harness.errors import HarnessError
from harness.process import side_by_side, warm_up
from harness.records import CellResult, CellSpec
from harness.registry import NotInstalled, Registry
from harness.store import Run, RunRecord, SuiteRecord, default_folder, latest_folder
from harness.suite import Suite

Observer = Callable[[CellSpec, CellResult | None], None]


def open_run(suites: Sequence[Suite], folder: Path | None, registry: Registry, *, resume: bool = False) -> Run:
    """A new run of these suites, or the one to go on with; without a folder, in the usual place."""
    names = [suite.name for suite in suites]
    if resume and (folder is None or (folder / "run.json").exists()):
        return go_on(suites, folder or latest_folder(names))
    return begin(suites, folder or default_folder(names, date.today()), registry)


def begin(suites: Sequence[Suite], folder: Path, registry: Registry) -> Run:
    """Make the folder of a new run of these suites; no cell runs yet."""
    records = tuple(SuiteRecord(name=s.name, title=s.title, text=s.text, claims=s.claims, file=s.file) for s in suites)
    record = RunRecord(
        created=date.today().isoformat(), suites=records, cells=_cells(suites), environment=capture(registry)
    )
    return Run.create(folder, record)


def go_on(suites: Sequence[Suite], folder: Path) -> Run:
    """Open the run to go on with, if it holds the cells of these very suites."""
    run = Run.open(folder)
    if [_unskipped(cell) for cell in run.record.cells] != [_unskipped(cell) for cell in _cells(suites)]:
        raise HarnessError("was made of other cells: run the same suites with the same options", where=str(folder))
    run.record = run.record.model_copy(update={"cells": _cells(suites)})
    run.results()
    return run


def _cells(suites: Sequence[Suite]) -> tuple[CellSpec, ...]:
    return tuple(cell for suite in suites for cell in suite.cells)


def _unskipped(cell: CellSpec) -> CellSpec:
    """A cell without what was missing on the machine that planned it, which another may have."""
    return cell.model_copy(update={"skip": ""})


def run_cells(
    run: Run,
    registry: Registry,
    *,
    jobs: int = 1,
    blocks: Collection[str] | None = None,
    observe: Observer = lambda cell, result: None,
    ahead: Making = lambda done, total, failure: None,
) -> None:
    """Run every cell that has no result yet, or those of some blocks alone.

    ``observe`` sees each start (``None``) and each result; ``ahead`` sees what is made before the first.
    A block of which only some cells are done is taken again whole where its times matter, since cells that are
    compared must have run together.
    """
    waiting = [cell for cell in order(run, registry) if blocks is None or cell.block in blocks]
    preload(waiting, registry)
    make_ahead(waiting, registry, run.folder / "ahead.txt", ahead)
    if jobs == 1:
        for cell in waiting:
            _run_one(run, registry, observe, threading.Event(), cell)
        return
    with side_by_side(jobs) as (pool, stop):
        list(pool.map(partial(_run_one, run, registry, observe, stop), waiting))


def preload(cells: Iterable[CellSpec], registry: Registry) -> None:
    """Have what the cells import be there when their processes start; to be called before the first one does."""
    warm_up(_needed(cells, registry))


def order(run: Run, registry: Registry) -> list[CellSpec]:
    """The cells still to run, in the run's own random order: seeded, so that resuming keeps to it."""
    blocks: dict[tuple[str, str], list[CellSpec]] = {}
    for cell in run.record.cells:
        blocks.setdefault((cell.suite, cell.block), []).append(cell)
    timed, finished = _timed(run, registry), _finished(run)
    waiting: list[CellSpec] = []
    for (suite, block), cells in blocks.items():
        missing = [cell for cell in cells if cell.id not in finished]
        again = cells if timed and missing else missing
        waiting += random.Random(f"{suite}/{block}").sample(again, len(again))
    return waiting


def _finished(run: Run) -> set[str]:
    """The cells with a result that counts: one that lacked something here is tried again once that is there."""
    lacking = {cell.id for cell in run.record.cells if cell.skip}
    return {name for name, result in run.results().items() if not result.cell.skip or name in lacking}


def _timed(run: Run, registry: Registry) -> bool:
    metrics = {metric.name for cell in run.record.cells if cell.alone for metric in cell.metrics}
    return any(cls.timed for cls in _installed([("metric", name) for name in metrics], registry))


def _needed(cells: Iterable[CellSpec], registry: Registry) -> set[str]:
    """The modules that components import, and the components themselves as ``module:class``."""
    used: set[tuple[str, str]] = set()
    for cell in cells:
        if not cell.skip:
            used.update((kind, getattr(cell, kind).name) for kind in ("workload", "parallelizer", "device"))
            used.update(("metric", metric.name) for metric in cell.metrics)
    classes = list(_installed(used, registry))
    return {f"{c.__module__}:{c.__qualname__}" for c in classes}.union(*(c.imports for c in classes))


def _installed(names: Iterable[tuple[str, str]], registry: Registry) -> Iterator[type[Any]]:
    """The classes of components by kind and name; what a distribution that is not there would bring is left out."""
    for kind, name in names:
        with suppress(NotInstalled):
            yield registry.component(kind, name)


def _run_one(run: Run, registry: Registry, observe: Observer, stop: threading.Event, cell: CellSpec) -> None:
    """Run one cell, telling those who watch."""
    tell(registry, observe, cell)
    make_ready(run, cell)
    tell(registry, observe, cell, attempt(run, cell, registry, stop))


def tell(registry: Registry, observe: Observer, cell: CellSpec, result: CellResult | None = None) -> None:
    """Tell the display and the plugins that a cell started (no result) or ended."""
    observe(cell, result)
    if result is None:
        registry.observe("harness_cell_started", cell=cell)
    else:
        registry.observe("harness_cell_finished", cell=cell, result=result)


def commands(run: Run, registry: Registry, *, host: str = "$HOST", nodes: int = 1) -> list[str]:
    """A torchrun line for each cell still to run, for machines that this one cannot start processes on."""
    lines = []
    for cell in run.record.cells:
        if run.result(cell) is None:
            path = make_ready(run, cell)
            here = ranks_a_node(cell, registry, nodes)
            launch = f"torchrun --nnodes={nodes if ranks(cell, registry) > 1 else 1} --nproc-per-node={here}"
            meeting = f"--rdzv-backend=c10d --rdzv-endpoint={host}:29400"
            lines.append(f"{launch} {meeting} -m harness cell {path}")
    return lines
