"""Plans of random loops against what the loops really touch."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, reject, settings
from randomloops import loops

from harness import HarnessError
from harness_orion.analysis.plan import Plan
from harness_orion.analysis.scheduling import schedule
from harness_orion.analysis.strategies import make_plan
from harness_orion.audit.loops import RandomLoop
from harness_orion.audit.verdicts import judged, read
from harness_orion.running.serial import run_positions, run_serial
from harness_orion.space import Grid

RANK = ["serial", "unimodular", "2d", "1d", "independent"]
EXAMPLES = 1000
cheap = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


def test_no_plan_of_a_random_loop_is_unsound(record_property) -> None:
    tally = dict.fromkeys([*RANK, "loops", "needlessly serial", "though affine", "less parallel than could be"], 0)

    @cheap
    @given(loops())
    def check(loop: RandomLoop) -> None:
        exact, paper = (judged(loop, mode=m) for m in ("exact", "paper"))
        if exact is None or paper is None:
            reject()
        assert exact.sound, (loop.text, exact.plan.strategy)
        assert paper.sound, (loop.text, paper.plan.strategy)
        found = exact.plan.strategy
        assert RANK.index(found) >= RANK.index(paper.plan.strategy), loop.text
        tally["loops"] += 1
        tally[found] += 1
        tally["needlessly serial"] += exact.needlessly_serial
        tally["though affine"] += exact.needlessly_serial and exact.affine
        tally["less parallel than could be"] += RANK.index(found) < RANK.index(exact.possible)

    check()
    share = tally["needlessly serial"] / tally["loops"]
    record_property("needlessly serial", share)
    print(f"\n{tally}; needlessly serial: {share:.1%}")
    assert tally["loops"] >= EXAMPLES
    assert all(tally[name] for name in RANK)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(loops())
def test_blocks_run_in_any_order_within_a_clock_give_the_serial_result(loop: RandomLoop) -> None:
    try:
        run_serial(loop.function, loop.space, list(loop.arrays(0).values()), ordered=loop.ordered)
    except HarnessError:
        reject()
    plan = make_plan(read(loop), loop.space, ordered=loop.ordered)
    forward, backward = (replayed(loop, plan, reverse=r) for r in (False, True))
    if loop.ordered or not races(plan):
        assert forward == backward, loop.text
    if loop.ordered:
        serial = loop.arrays(0)
        run_serial(loop.function, loop.space, list(serial.values()), ordered=True)
        assert forward == contents(serial), loop.text


def replayed(loop: RandomLoop, plan: Plan, *, reverse: bool) -> list[bytes]:
    arrays = loop.arrays(0)
    for clock in schedule(plan, loop.space, 3):
        for block in reversed(clock) if reverse else clock:
            run_positions(loop.function, loop.space, list(arrays.values()), block.positions)
    return contents(arrays)


def contents(arrays: dict[str, np.ndarray]) -> list[bytes]:
    return [a.tobytes() for a in arrays.values()]


def races(plan: Plan) -> bool:
    """Whether the plan lets writes to one element race: any of them may be the last."""
    exact = make_plan(plan.body, Grid(plan.shape, plan.origin), ordered=True)
    return any(d.of_writes and d not in plan.dependences for d in exact.dependences)
