"""Plans judged by brute force: loops of which everything is known, and the share that a run reports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.testing import run_job
from harness_orion.audit.loops import RandomLoop, compiled
from harness_orion.audit.verdicts import judged
from harness_orion.parallelizers.planning import OrionPlan
from harness_orion.space import Grid
from harness_orion.workloads.random_loops import RandomLoops


def loop(*lines: str, ordered: bool = False) -> RandomLoop:
    """A loop over 3 x 3 keys and arrays of 8 x 8."""
    text = "def body(key, val, A, B, P):\n    i, j = key\n" + "".join(f"    {line}\n" for line in lines)
    return RandomLoop(text, compiled(text), Grid((3, 3), values=np.ones((3, 3))), ordered, (8, 8))


def test_a_loop_that_only_data_keeps_apart_is_serial_without_need() -> None:
    apart = judged(loop("A[i + 3 * j % 3, int(val) * j] += 1"))
    assert apart is not None
    assert (apart.plan.strategy, apart.possible) == ("serial", "independent")
    assert apart.needlessly_serial
    assert not apart.affine


def test_a_loop_whose_iterations_all_meet_is_serial_with_reason() -> None:
    met = judged(loop("A[0, 0] = A[0, 0] * 2 + i"))
    assert met is not None
    assert (met.plan.strategy, met.possible) == ("serial", "serial")
    assert not met.needlessly_serial
    assert met.affine


def test_a_plan_that_lets_go_of_a_dependence_is_found_unsound() -> None:
    found = judged(loop("A[i + 1, j] = A[i, j] + 1", ordered=True))
    assert found is not None
    assert found.sound
    assert found.plan.strategy == "1d"
    for plan in (replace(found.plan, space_dim=0), replace(found.plan, strategy="independent", space_dim=0)):
        assert not replace(found, plan=plan).sound


def test_a_loop_that_leaves_its_arrays_is_not_judged() -> None:
    assert judged(loop("A[i + 6, j] = 1")) is None


def test_a_run_judges_as_many_loops_as_it_says_and_the_same_ones_again(tmp_path: Path) -> None:
    loops = RandomLoops(count=25)
    one, two = (run_job(OrionPlan(), loops, tmp_path / n, epochs=1) for n in "12")
    assert one.values("unsound_plans").value.tolist() == [0.0] * 25
    serial, needlessly = (one.values(n).value for n in ("serial_plans", "needlessly_serial"))
    assert (needlessly <= serial).all()
    assert serial.any()
    assert serial.tolist() == two.values("serial_plans").value.tolist()
    assert len(run_job(OrionPlan(mode="paper"), loops, tmp_path / "3", steps=4).values("serial_plans")) == 4
