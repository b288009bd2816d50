"""Plans of random loops against what the loops really touch."""

from __future__ import annotations

import numpy as np
from bruteforce import RealDistances, clashes, misplaced, touched, unsound
from hypothesis import HealthCheck, given, reject, settings
from randomloops import RandomLoop, loops

from harness import HarnessError
from harness_orion.analysis.dependences import Conflict, Dependence
from harness_orion.analysis.plan import Plan
from harness_orion.analysis.scheduling import schedule
from harness_orion.analysis.strategies import Search, make_plan
from harness_orion.reading.accesses import Access, ArrayFacts, Body
from harness_orion.reading.frontend import read_body
from harness_orion.running.serial import run_positions, run_serial
from harness_orion.space import Grid

RANK = ["serial", "unimodular", "2d", "1d", "independent"]
EXAMPLES = 1000
cheap = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


def read(loop: RandomLoop) -> Body:
    facts = {"A": ArrayFacts(loop.shape), "B": ArrayFacts(loop.shape), "P": ArrayFacts((8,))}
    return read_body(loop.function, ndim=len(loop.space.shape), arguments=facts)


def test_no_plan_of_a_random_loop_is_unsound(record_property) -> None:
    tally = dict.fromkeys([*RANK, "loops", "needlessly serial", "though affine", "less parallel than could be"], 0)

    @cheap
    @given(loops())
    def check(loop: RandomLoop) -> None:
        body = read(loop)
        try:
            found = touched(loop.function, loop.space, loop.arrays(0), ordered=loop.ordered)
        except IndexError:
            reject()
        real = clashes(found)
        exact, paper = (make_plan(body, loop.space, ordered=loop.ordered, mode=m) for m in ("exact", "paper"))
        for plan in (exact, paper):
            assert not misplaced(plan, found), loop.text
            for workers in (2, max(loop.space.shape)):
                assert not unsound(plan, loop.space, real, workers=workers), (loop.text, plan.strategy)
        assert RANK.index(exact.strategy) >= RANK.index(paper.strategy), loop.text
        best = possible(body, loop, RealDistances.of(real, ordered=loop.ordered))
        tally["loops"] += 1
        tally[exact.strategy] += 1
        needlessly = exact.strategy == "serial" and best != "serial"
        tally["needlessly serial"] += needlessly
        tally["though affine"] += needlessly and all(
            a.is_affine for d in exact.dependences for a in (d.first, d.second)
        )
        tally["less parallel than could be"] += RANK.index(exact.strategy) < RANK.index(best)

    check()
    share = tally["needlessly serial"] / tally["loops"]
    record_property("needlessly serial", share)
    print(f"\n{tally}; needlessly serial: {share:.1%}")
    assert tally["loops"] >= EXAMPLES
    assert all(tally[name] for name in RANK)


def possible(body: Body, loop: RandomLoop, real: RealDistances) -> str:
    """The strategy that the conflicts of this very run would allow."""
    access: Access = body.accesses[0]
    found = [Conflict(Dependence(access, access, ()), real)] if real.distances else []
    return Search(body, loop.space, loop.ordered, found).choose(())[0].strategy


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
