"""A live display of a run: what runs now, how many are done, and how long the rest may take."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from harness.records import CellResult, CellSpec
from harness.store import Run


class Progress:
    """A bar on stderr where that is a terminal; otherwise one line for each cell that did not end well."""

    def __init__(self, run: Run) -> None:
        self.live = sys.stderr.isatty()
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not self.live,
            transient=True,
            refresh_per_second=2,
        )
        done = len(run.results())
        self.task = self.bar.add_task("starting", total=len(run.record.cells), completed=done)
        self.finished: set[str] = set(run.results())

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.bar.stop()

    def observe(self, cell: CellSpec, result: CellResult | None) -> None:
        """Show that a cell started (no result) or ended."""
        if result is None:
            self.bar.update(self.task, description=escape(cell.id))
            return
        if cell.id not in self.finished:
            self.finished.add(cell.id)
            self.bar.advance(self.task)
        if result.outcome in ("failed", "timeout"):
            line = f"{result.outcome}: {cell.id}: {result.reason}"
            self.bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
