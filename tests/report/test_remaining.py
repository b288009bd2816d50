"""The time that is left: what cells took tells of their like."""

from __future__ import annotations

import pytest

from harness.records import CellResult, CellSpec, ComponentSpec
from harness.report.progress import spoken
from harness.report.remaining import Remaining


def cell(suite: str, workload: str, parallelizer: str, seed: int) -> CellSpec:
    named = [ComponentSpec(name=name, label=name) for name in (workload, parallelizer, "cpu")]
    identity = f"{suite}/{workload}/{parallelizer}/cpu/{seed}"
    return CellSpec(
        id=identity, suite=suite, block="", workload=named[0], parallelizer=named[1], device=named[2], seed=seed
    )


def took(which: CellSpec, seconds: float | None) -> CellResult:
    return CellResult(cell=which, outcome="done", seconds=seconds)


def test_nothing_is_told_before_a_cell_has_ended() -> None:
    assert Remaining([cell("s", "w", "p", 0)]).seconds() is None


def test_a_group_takes_what_its_own_cells_took_and_others_what_the_most_alike_took() -> None:
    cells = [cell(s, w, p, seed) for s in "ab" for w in "uv" for p in "xy" for seed in range(2)]
    remaining = Remaining(cells)
    for which, seconds in ((cells[0], 10.0), (cells[2], 30.0)):  # a/u/x and a/u/y
        remaining.learn(took(which, seconds))
    # left: one each of those; a/v (4 cells) and all of b (8) take the mean of all that is known
    assert remaining.seconds() == pytest.approx(10 + 30 + 4 * 20 + 8 * 20)
    remaining.learn(took(cells[4], 100.0))  # a/v/x
    assert remaining.seconds() == pytest.approx(10 + 30 + 100 + 2 * 100 + 8 * (140 / 3))


def test_when_every_cell_is_done_nothing_is_left() -> None:
    cells = [cell("s", "w", "p", seed) for seed in range(3)]
    remaining = Remaining(cells)
    for one in cells:
        remaining.learn(took(one, None if one.seed else 2.0))
    assert remaining.seconds() == 0


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "0 s"), (59, "59 s"), (61, "1 min"), (3599, "1 h 0 min"), (4801, "1 h 20 min")]
)
def test_times_are_said_in_two_units_at_most(seconds: float, said: str) -> None:
    assert spoken(seconds) == said
