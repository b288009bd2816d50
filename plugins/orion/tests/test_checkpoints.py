"""A distributed loop that is stopped and goes on."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import distloops
import pytest
from ranks import die_once, run

from harness import HarnessError, devices
from harness_orion.ranks.distributed import Options

MAKERS = [
    partial(distloops.factorization, ordered=True),
    distloops.columns,
    distloops.relaxation,
    distloops.recurrence,
    distloops.marking,
]


@pytest.mark.parametrize("make", MAKERS)
def test_a_loop_that_goes_on_ends_as_one_that_was_never_stopped(make, tmp_path: Path) -> None:
    whole = run(make, 2, tmp_path / "whole", passes=3)
    options = Options(checkpoints=tmp_path / "checkpoints")
    run(make, 2, tmp_path / "first", passes=2, options=options)
    went_on = run(make, 2, tmp_path / "second", passes=3, options=options)
    assert [a.tobytes() for a in went_on.arrays] == [a.tobytes() for a in whole.arrays]
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["3"]


def test_a_checkpoint_that_lacks_a_rank_s_part_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    run(distloops.columns, 2, tmp_path / "first", passes=2, options=Options(checkpoints=folder))
    (folder / "2").rename(folder / "1")
    (folder / "2").mkdir()
    (folder / "2" / "rank-0-of-2.npz").write_bytes(b"")
    went_on = run(distloops.columns, 2, tmp_path / "second", passes=2, options=Options(checkpoints=folder))
    whole = run(distloops.columns, 2, tmp_path / "whole", passes=3)
    assert [a.tobytes() for a in went_on.arrays] == [a.tobytes() for a in whole.arrays]


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    options = Options(checkpoints=tmp_path / "checkpoints")
    run(distloops.columns, 2, tmp_path / "first", options=options)
    with pytest.raises(HarnessError, match="a checkpoint of 2 workers, not of 3"):
        run(distloops.columns, 3, tmp_path / "second", options=options)
    with pytest.raises(HarnessError, match="is of another loop"):
        run(distloops.relaxation, 2, tmp_path / "third", options=options)


def test_a_rank_that_dies_stops_the_others_and_the_next_launch_goes_on(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    mark.touch()
    options = Options(checkpoints=tmp_path / "checkpoints")
    go = partial(
        run, distloops.columns, 2, passes=4, device=devices.Processes(), options=options, after=partial(die_once, mark)
    )
    with pytest.raises(devices.WorkerFailed, match="worker 1"):
        go(tmp_path / "first")
    assert [int(p.name) for p in (tmp_path / "checkpoints").iterdir()] == [1]
    went_on = go(tmp_path / "second")
    whole = run(distloops.columns, 2, tmp_path / "whole", passes=4)
    assert [a.tobytes() for a in went_on.arrays] == [a.tobytes() for a in whole.arrays]
