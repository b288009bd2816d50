"""The device ``torchrun`` under torch's own launcher: cells, failures, and ranks on machines of their own."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from simulating import events

from harness import datasets
from harness.devices import thread_wires
from harness_links import board
from harness_links.offsets import clock_offset

HERE = Path(__file__).parent
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone"]

SUITE = """
title = "The same cell under two launchers"
metrics = ["final_loss", "bytes_sent"]
budget = { steps = 5 }

[[matrix]]
workload = "census-mlp"
parallelizer = { name = "ddp", workers = WORKERS }
device = ["torchrun", "processes"]
"""


def start(ranks, *command, cwd=None):
    return subprocess.run(
        [*TORCHRUN, f"--nproc-per-node={ranks}", *command],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        timeout=500,
    )


def ranked(ranks, function, folder, *options):
    start(ranks, str(HERE / "ranked.py"), function, str(folder), *options)
    return json.loads((folder / "came.json").read_text(encoding="utf-8"))


def harness(folder, *arguments):
    command = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500)


def prepared(folder, workers):
    """Write the suite and begin its run; the line that starts each cell, by device."""
    datasets.ADULT.fetch()
    (folder / "suite.toml").write_text(SUITE.replace("WORKERS", str(workers)), encoding="utf-8")
    lines = harness(folder, "run", "suite.toml", "-o", "run", "--print-commands").stdout.splitlines()
    return {device: next(line for line in lines if f"-{device}-0-" in line) for device in ("torchrun", "processes")}


def collected(folder):
    done = harness(folder, "run", "suite.toml", "-o", "run", "--resume", "--json")
    return {cell["device"]: cell for cell in json.loads(done.stdout)["cells"]}


def test_a_cell_gives_what_it_gives_on_processes(tmp_path):
    lines = prepared(tmp_path, 2)
    assert "--nproc-per-node=2 " in lines["torchrun"]
    assert "--nproc-per-node=1 " in lines["processes"]
    done = start(2, *lines["torchrun"].split()[-4:], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    cells = collected(tmp_path)
    assert cells["torchrun"]["outcome"] == "done"
    assert cells["torchrun"]["metrics"] == cells["processes"]["metrics"]


def test_another_number_of_ranks_is_refused_in_one_line(tmp_path):
    start(2, *prepared(tmp_path, 4)["torchrun"].split()[-4:], cwd=tmp_path)
    (result,) = tmp_path.glob("run/cells/*/result.json")
    reason = json.loads(result.read_text(encoding="utf-8"))["reason"]
    assert reason.startswith(
        "torchrun started 2 ranks and the cell launches 4 workers: start it with --nproc-per-node=4"
    )


def test_without_the_launcher_it_says_how_to_start_it(tmp_path):
    spec = prepared(tmp_path, 2)["torchrun"].split()[-1]
    failed = harness(tmp_path, "cell", spec)
    assert failed.returncode == 2
    assert failed.stderr.count("\n") == 1
    assert "torchrun --standalone --nproc-per-node=WORKERS -m harness cell SPEC.json" in failed.stderr
    done = harness(tmp_path, "run", "suite.toml", "--only", "*/torchrun/*", "-o", "here", "--json")
    (skipped,) = json.loads(done.stdout)["cells"]
    assert skipped["outcome"] == "skipped"
    assert "torchrun --standalone" in skipped["reason"]


def test_every_rank_works_and_leaves_its_trace(tmp_path):
    assert ranked(3, "places", tmp_path) == [[rank, 3, "cpu", 6.0] for rank in range(3)]
    for rank in range(3):
        assert [value for name, *_, value in events(tmp_path, rank) if name == "total"] == [6.0]


def test_torch_reduces_among_the_ranks(tmp_path):
    assert ranked(2, "torch_sum", tmp_path) == [[3.0], [3.0]]


def test_ranks_on_other_machines_send_their_trace_and_how_far_their_clocks_are_apart(tmp_path):
    """The machine is one in truth, so the offset must be nothing, to within what it says it may be off."""
    assert len(ranked(3, "places", tmp_path, "apart")) == 3
    for rank in range(3):
        assert events(tmp_path, rank)
    for rank in range(3):
        (note,) = map(json.loads, (tmp_path / f"facts-{rank}.jsonl").read_text(encoding="utf-8").splitlines())
        assert note["name"] == "clock_offset"
        assert abs(note["fact"]["seconds"]) <= note["fact"]["error_seconds"] < 60


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("fail", "worker 1 failed: ValueError: on purpose"),
        ("die", "worker 1 is lost"),
        ("die_while_the_first_computes", "worker 1 is lost"),
    ],
)
def test_a_rank_that_fails_is_named(tmp_path, function, expected):
    assert expected in ranked(2, function, tmp_path)["error"]


@pytest.mark.parametrize("skews", [(0.0, 5.0, -3.0), (100.0, 100.25, 0.0)])
def test_the_offset_of_a_skewed_clock_is_found_to_within_its_error(skews):
    def measure(wire):
        return clock_offset(wire, lambda: time.monotonic() + skews[wire.rank])

    with ThreadPoolExecutor(3) as pool:
        offsets = list(pool.map(measure, thread_wires(3)))
    for skew, offset in zip(skews, offsets, strict=True):
        assert abs(offset.seconds - (skews[0] - skew)) <= offset.error_seconds + 1e-9


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 2500])
def test_a_note_of_any_size_is_read_as_it_was_written(monkeypatch, size):
    from torch.distributed import HashStore

    monkeypatch.setattr(board, "PART_BYTES", 1000)
    notes = board.Board(HashStore())
    note = os.urandom(size)
    notes.post("note", note)
    assert notes.take("note") == note
    assert notes.has("note")
    assert not notes.has("another")
