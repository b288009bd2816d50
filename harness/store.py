"""A run's folder: written atomically, resumable, and never overwritten.

``run.json`` says what was to be done and where; each cell has a folder of its own under ``cells/``
with its specification, result, trace and output.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.records import FORMAT, CellResult, CellSpec, ClaimSpec, Record


class SuiteRecord(Record):
    """A suite as it was when the run began."""

    name: str
    title: str
    text: str
    claims: tuple[ClaimSpec, ...]
    file: str = ""


class RunRecord(Record):
    """What ``run.json`` holds."""

    format: int = FORMAT
    created: str
    suites: tuple[SuiteRecord, ...]
    cells: tuple[CellSpec, ...]
    environment: dict[str, str]


@dataclass
class Run:
    """A run's folder, open; ``problems`` says which of its files could not be read."""

    folder: Path
    record: RunRecord
    problems: list[str] = field(default_factory=list)

    @classmethod
    def create(cls, folder: Path, record: RunRecord) -> Run:
        """Make a new run's folder; an existing one that holds anything is refused."""
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise HarnessError("holds something already: add --resume, or choose another -o", where=str(folder))
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "run.json", record.model_dump_json(indent=1))
        return cls(folder, record)

    @classmethod
    def open(cls, folder: Path) -> Run:
        """Open a run; one that this version cannot read is left as it is, and an error."""
        path = folder / "run.json"
        if not path.is_file():
            raise HarnessError("no run here: there is no run.json", where=str(folder))
        text = path.read_text(encoding="utf-8", errors="replace")
        version = re.search(r'"format":\s*(\d+)', text)
        if version and int(version[1]) != FORMAT:
            raise HarnessError(
                f"written in format {version[1]}, and this harness reads format {FORMAT}; kept as it is",
                where=str(path),
            )
        try:
            return cls(folder, RunRecord.model_validate_json(text))
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise HarnessError(f"damaged ({reason}); kept as it is", where=str(path)) from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the run as the only process that runs its cells; refused while another does."""
        with (self.folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HarnessError(
                    "another process is at this run: wait for its end, or choose another -o", where=str(self.folder)
                ) from None
            yield

    @property
    def title(self) -> str:
        """The suite's title, or the names of several."""
        names = [suite.name for suite in self.record.suites]
        return self.record.suites[0].title if len(names) == 1 else f"{len(names)} suites: {', '.join(names)}"

    def cell_folder(self, cell: CellSpec) -> Path:
        """Where a cell's files are; readable, and unique by the end of a digest."""
        readable = re.sub(r"[^A-Za-z0-9._=-]+", "-", cell.id)[:100].strip("-")
        return self.folder / "cells" / f"{readable}-{hashlib.sha256(cell.id.encode()).hexdigest()[:8]}"

    def save(self, result: CellResult) -> None:
        """Write a cell's result, whole or not at all."""
        folder = self.cell_folder(result.cell)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "result.json", result.model_dump_json(indent=1))

    def result(self, cell: CellSpec) -> CellResult | None:
        """A cell's result; ``None`` where there is none that can be read, which ``problems`` then says."""
        path = self.cell_folder(cell) / "result.json"
        try:
            result = CellResult.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (ValidationError, OSError) as error:
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            self.problems.append(f"{path}: {reason}; kept, and taken as not measured")
            return None
        if result.format != FORMAT:
            self.problems.append(f"{path}: format {result.format}, not {FORMAT}; kept, and taken as not measured")
            return None
        return result

    def results(self) -> dict[str, CellResult]:
        """Every result that can be read, by cell id, in the order of the cells."""
        self.problems.clear()
        found = ((cell.id, self.result(cell)) for cell in self.record.cells)
        return {name: result for name, result in found if result is not None}

    def clear(self, cell: CellSpec) -> Path:
        """Make a cell's folder ready for a fresh attempt; what was there is kept under a number."""
        folder = self.cell_folder(cell)
        if folder.exists():
            number = 1
            while (aside := folder.with_name(f"{folder.name}.{number}")).exists():
                number += 1
            folder.rename(aside)
        folder.mkdir(parents=True)
        return folder


def default_folder(suites: Sequence[str], today: date) -> Path:
    """``results/DATE-SUITE``, numbered where that is taken."""
    return free_folder(Path("results") / f"{today.isoformat()}-{'+'.join(suites)[:60]}")


def free_folder(base: Path) -> Path:
    """The folder itself where there is none yet, else the first of ``base-2``, ``base-3``, ... that is free."""
    folder, number = base, 2
    while folder.exists():
        folder, number = base.with_name(f"{base.name}-{number}"), number + 1
    return folder


def latest_folder(suites: Sequence[str]) -> Path:
    """The newest run of these suites under ``results/``."""
    names = "+".join(suites)[:60]
    pattern = re.compile(r"\d{4}-\d\d-\d\d-" + re.escape(names) + r"(-\d+)?")
    folders = [p for p in Path("results").glob("*/run.json") if pattern.fullmatch(p.parent.name)]
    if not folders:
        raise HarnessError(f"no run of {names} to resume under results/; name one with -o")
    return max(folders, key=lambda p: p.stat().st_mtime).parent


def write_atomically(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Write a file so that a reader, or a crash, meets the old one or the new one and nothing between.

    What is not ``durable`` is not waited for: of a machine that crashes the next moment it may be lost.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    data: Any = content.encode() if isinstance(content, str) else content
    with temporary.open("wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)
