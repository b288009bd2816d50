"""A run's folder: nothing half written, nothing overwritten, whatever lies there."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.records import Budget, CellResult, CellSpec, ComponentSpec
from harness.store import Run, RunRecord, default_folder, write_atomically


def cell(seed: int = 0) -> CellSpec:
    part = ComponentSpec(name="p", label="p (odd/label)")
    return CellSpec(
        id=f"s/p/{seed}",
        suite="s",
        block="b",
        workload=part,
        parallelizer=part,
        device=part,
        seed=seed,
        budget=Budget(),
    )


@pytest.fixture
def run(tmp_path: Path) -> Run:
    record = RunRecord(created="2026-01-01", suites=(), cells=(cell(0), cell(1)), environment={"machine": "m"})
    return Run.create(tmp_path / "run", record)


def test_a_result_is_read_back_as_it_was_saved(run: Run) -> None:
    result = CellResult(cell=cell(), outcome="done", metrics={"a": 1.5, "b": None}, censored={"b": 2.0})
    run.save(result)
    assert Run.open(run.folder).results() == {cell().id: result}


def test_a_folder_that_holds_something_is_refused(run: Run) -> None:
    with pytest.raises(HarnessError, match="--resume"):
        Run.create(run.folder, run.record)


def test_a_corrupt_result_is_said_and_kept(run: Run) -> None:
    run.save(CellResult(cell=cell(), outcome="done"))
    path = run.cell_folder(cell()) / "result.json"
    path.write_text(path.read_text()[:40])
    assert run.results() == {}
    assert str(path) in run.problems[0]
    before = path.read_bytes()
    run.clear(cell())
    kept = list(run.folder.glob("cells/*.1/result.json"))
    assert [p.read_bytes() for p in kept] == [before]


def test_another_versions_run_is_said_and_kept(run: Run) -> None:
    path = run.folder / "run.json"
    text = path.read_text().replace('"format": 1', '"format": 99')
    path.write_text(text)
    with pytest.raises(HarnessError, match=r"format 99.*reads format 1; kept"):
        Run.open(run.folder)
    assert path.read_text() == text


@pytest.mark.parametrize("text", ["", "{", '{"format": 1}', "\x00\x01"])
def test_a_damaged_run_is_said_and_kept(run: Run, text: str) -> None:
    path = run.folder / "run.json"
    path.write_text(text)
    with pytest.raises(HarnessError, match="damaged"):
        Run.open(run.folder)
    assert path.read_text() == text


def test_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no run here"):
        Run.open(tmp_path)


def test_writing_leaves_the_old_file_where_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, "old")

    def fail(*arguments: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"


def test_default_folders_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import date

    monkeypatch.chdir(tmp_path)
    first = default_folder(["s"], date(2026, 1, 2))
    first.mkdir(parents=True)
    assert (str(first), str(default_folder(["s"], date(2026, 1, 2)))) == (
        "results/2026-01-02-s",
        "results/2026-01-02-s-2",
    )
