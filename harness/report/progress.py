"""A live display of a run: what runs now, how many are done, and how long the rest may take."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from harness.records import CellResult, CellSpec
from harness.report.remaining import Remaining
from harness.store import Run

LINE_SECONDS = 60.0


class Progress:
    """A bar on stderr where that is a terminal; otherwise a line a minute.

    Either way a line for each cell, and for all that was made ahead, that did not end well.
    """

    def __init__(self, run: Run) -> None:
        self.live = sys.stderr.isatty()
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True),
            disable=not self.live,
            transient=True,
            refresh_per_second=2,
        )
        self.remaining = Remaining(run.record.cells)
        stored = run.results()
        for result in stored.values():
            self.remaining.learn(result)
        self.finished = set(stored)
        self.total = len(run.record.cells)
        self.task = self.bar.add_task("starting", total=self.total, completed=len(stored), left="")
        self.began = self.said = time.monotonic()
        self.worked = 0.0

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.bar.stop()

    def ahead(self, done: int, total: int, failure: str) -> None:
        """Show how much is made of what cells read, before the first of them, and what failed of it."""
        text = f"making what cells read: {done} of {total}"
        self.bar.update(self.task, description=escape(text))
        if failure:
            self._print(failure)
        self._now_and_then(text)
        self.began = time.monotonic()  # the pace is that of cells alone

    def observe(self, cell: CellSpec, result: CellResult | None) -> None:
        """Show that a cell started (no result) or ended."""
        if result is None:
            self.bar.update(self.task, description=escape(cell.id))
            return
        self.worked += result.seconds or 0.0
        if cell.id not in self.finished:
            self.finished.add(cell.id)
            self.remaining.learn(result)
        self.bar.update(self.task, completed=len(self.finished), left=self._left())
        self._say(result)

    def _say(self, result: CellResult) -> None:
        if result.outcome in ("failed", "timeout"):
            self._print(f"{result.outcome}: {result.cell.id}: {result.reason}")
        self._now_and_then(f"{len(self.finished)} of {self.total} cells, {self._left() or 'no telling how long'}")

    def _now_and_then(self, line: str) -> None:
        if not self.live and time.monotonic() > self.said + LINE_SECONDS:
            self.said = time.monotonic()
            self._print(line)

    def _print(self, line: str) -> None:
        self.bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _left(self) -> str:
        """The time left at the pace so far, which several cells at a time make quicker than their sum."""
        seconds = self.remaining.seconds()
        if seconds is None:
            return ""
        pace = (time.monotonic() - self.began) / self.worked if self.worked else 1.0
        return f"about {spoken(seconds * pace)} left"


def spoken(seconds: float) -> str:
    """A time as one would say it: '40 s', '12 min', '1 h 20 min'."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
