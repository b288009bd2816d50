"""Before the first cell: what several cells read from disk is made, a process for each workload and seed.

A cell that finds nothing makes it itself, so whatever goes wrong here goes wrong again in the cell that needs it,
where the error belongs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

from harness.cell import settle
from harness.components import Workload
from harness.environment import cores
from harness.process import run_call, side_by_side
from harness.records import CellSpec
from harness.registry import Registry, load

Making = Callable[[int, int, str], None]


def make_ahead(cells: Iterable[CellSpec], registry: Registry, output: Path, observe: Making) -> None:
    """Have workloads make what they keep, as many at a time as there are cores; what they print goes to ``output``.

    ``observe`` sees how many are done, of how many, and how one failed.
    """
    wanted = {_what(cell): cell for cell in cells if _keeps(cell, registry)}
    if not wanted:
        return
    with side_by_side(cores()) as (pool, stop):
        observe(0, len(wanted), "")
        making = [pool.submit(_make, cell, output, stop) for cell in wanted.values()]
        for done, one in enumerate(as_completed(making), 1):
            observe(done, len(wanted), one.result())


def _what(cell: CellSpec) -> tuple[str, int]:
    return cell.workload.model_copy(update={"label": ""}).model_dump_json(), cell.seed


def _keeps(cell: CellSpec, registry: Registry) -> bool:
    if cell.skip or cell.python:
        return False
    workload = registry.component("workload", cell.workload.name)
    return issubclass(workload, Workload) and workload.keep is not Workload.keep


def _make(cell: CellSpec, output: Path, stop: threading.Event) -> str:
    """Empty, or what could not be made and why."""
    end = run_call(cell, _keep, cell.workload.name, cell.workload.parameters, cell.seed, output, stop=stop)
    return end.reason and f"not made ahead: {cell.workload.label}, seed {cell.seed}: {end.reason}; see {output}"


def _keep(name: str, parameters: dict[str, Any], seed: int, output: Path) -> None:
    settle(output)
    workload = load().build("workload", name, parameters)
    workload.prepare()
    workload.keep(seed)
