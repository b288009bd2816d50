"""Before the first cell: what several cells read from disk is made, a process for each workload and seed.

A cell that finds nothing makes it itself, so whatever goes wrong here goes wrong again in the cell that needs it,
where the error belongs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from harness.cell import settle
from harness.components import Workload
from harness.environment import cores
from harness.process import run_call
from harness.records import CellSpec
from harness.registry import Registry, load


def make_ahead(cells: Iterable[CellSpec], registry: Registry, output: Path, say: Callable[[str], None]) -> None:
    """Have workloads make what they keep, as many at a time as there are cores; what they print goes to ``output``."""
    wanted = {(c.workload.model_dump_json(), c.seed): c for c in cells if _keeps(c, registry)}
    if not wanted:
        return
    stop = threading.Event()
    with ThreadPoolExecutor(cores()) as pool:
        making = [pool.submit(_make, cell, output, stop) for cell in wanted.values()]
        say(f"making what cells read: {len(making)} to do")
        try:
            for done, made in enumerate(as_completed(making), 1):
                say(f"made what cells read: {made.result()}, {done} of {len(making)}")
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _keeps(cell: CellSpec, registry: Registry) -> bool:
    if cell.skip or cell.python:
        return False
    workload = registry.component("workload", cell.workload.name)
    return issubclass(workload, Workload) and workload.keep is not Workload.keep


def _make(cell: CellSpec, output: Path, stop: threading.Event) -> str:
    """What was made, and how it ended if not well."""
    end = run_call(cell, _keep, cell.workload.name, cell.workload.parameters, cell.seed, output, stop=stop)
    return f"{cell.workload.label}, seed {cell.seed}" + (f" ({end.reason}; see {output})" if end.reason else "")


def _keep(name: str, parameters: dict[str, Any], seed: int, output: Path) -> None:
    settle(output)
    workload = load().build("workload", name, parameters)
    workload.prepare()
    workload.keep(seed)
