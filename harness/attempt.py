"""One attempt at a cell: its folder made ready, its process run and watched, what came of it stored."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

from harness.components import Device
from harness.errors import HarnessError
from harness.process import run_cell
from harness.records import CellResult, CellSpec
from harness.registry import Registry
from harness.store import Run, write_atomically

OUTPUT_CHARACTERS = 4000


def make_ready(run: Run, cell: CellSpec) -> Path:
    """Give a cell an empty folder with its specification; where that is."""
    path = run.clear(cell) / "spec.json"
    write_atomically(path, cell.model_dump_json(indent=1), durable=False)
    return path


def attempt(run: Run, cell: CellSpec, registry: Registry, stop: threading.Event | None = None) -> CellResult:
    """Run a cell whose folder is ready, and store its result; one that has to be skipped is skipped."""
    began = time.monotonic()
    result = (
        CellResult(cell=cell, outcome="skipped", reason=cell.skip) if cell.skip else _ran(run, cell, registry, stop)
    )
    result = result.model_copy(update={"seconds": time.monotonic() - began})
    run.save(result)
    return result


def _ran(run: Run, cell: CellSpec, registry: Registry, stop: threading.Event | None) -> CellResult:
    folder = run.cell_folder(cell)
    device = registry.component("device", cell.device.name)
    end = run_cell(cell, folder / "spec.json", start=getattr(device, "start", "fork"), stop=stop or threading.Event())
    result = run.result(cell)
    if end.outcome == "done" and result is None:
        return CellResult(cell=cell, outcome="failed", reason="ended and left no result", output=tail(folder))
    if result is None or end.outcome == "timeout":
        outcome = "failed" if end.outcome == "done" else end.outcome
        return CellResult(cell=cell, outcome=outcome, reason=end.reason, output=tail(folder))
    return result if result.outcome == "done" else result.model_copy(update={"output": tail(folder)})


def tail(folder: Path) -> str:
    """The end of what a cell printed."""
    with suppress(OSError):
        return (folder / "output.txt").read_text(encoding="utf-8", errors="replace")[-OUTPUT_CHARACTERS:]
    return ""


def ranks(cell: CellSpec, registry: Registry) -> int:
    """How many processes a launcher starts for a cell: most devices start their workers themselves."""
    device: Device = registry.build("device", cell.device.name, cell.device.parameters)
    parallelizer = registry.build("parallelizer", cell.parallelizer.name, cell.parallelizer.parameters)
    return getattr(parallelizer, "workers", 1) if device.start == "torchrun" else 1


def ranks_a_node(cell: CellSpec, registry: Registry, nodes: int) -> int:
    """How many of a cell's ranks each of so many machines starts; refused where they do not divide."""
    found = ranks(cell, registry)
    if found == 1:
        return 1
    if found % nodes:
        raise HarnessError(f"{found} ranks do not divide over {nodes} nodes: {cell.id}", where="--slurm nodes")
    return found // nodes
