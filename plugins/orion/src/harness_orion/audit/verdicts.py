"""One loop's plan, judged by the conflicts of a run that noted every element."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from harness_orion.analysis.dependences import Conflict, Dependence, Mode
from harness_orion.analysis.plan import Plan, Strategy
from harness_orion.analysis.strategies import Search, make_plan
from harness_orion.audit.clashes import Clash, RealDistances, clashes, misplaced, unsound
from harness_orion.audit.loops import RandomLoop
from harness_orion.audit.touching import Touched, touched
from harness_orion.reading.accesses import ArrayFacts, Body
from harness_orion.reading.affine import Key
from harness_orion.reading.frontend import read_body


@dataclass(frozen=True)
class Verdict:
    """A plan, beside what the loop touched."""

    loop: RandomLoop
    plan: Plan
    seen: list[tuple[Key, Touched]]

    @cached_property
    def clashes(self) -> list[Clash]:
        """The iterations that touch the same elements."""
        return clashes(self.seen)

    @property
    def sound(self) -> bool:
        """Whether none of them run at once or out of an order that matters, and what is divided is where it is used."""
        counts = (2, max(self.loop.space.shape))
        kept = not any(unsound(self.plan, self.loop.space, self.clashes, workers=n) for n in counts)
        return kept and not misplaced(self.plan, self.seen)

    @cached_property
    def possible(self) -> Strategy:
        """The strategy that the conflicts of this very run would allow."""
        real, access = RealDistances.of(self.clashes, ordered=self.loop.ordered), self.plan.body.accesses[0]
        found = [Conflict(Dependence(access, access, ()), real)] if real.distances else []
        return Search(self.plan.body, self.loop.space, self.loop.ordered, found).choose(())[0].strategy

    @property
    def needlessly_serial(self) -> bool:
        """Whether the plan is serial though the run would have allowed more."""
        return self.plan.strategy == "serial" and self.possible != "serial"

    @property
    def affine(self) -> bool:
        """Whether every dependence is between subscripts that follow from the key."""
        return all(a.is_affine for d in self.plan.dependences for a in (d.first, d.second))


def judged(loop: RandomLoop, *, mode: Mode = "exact") -> Verdict | None:
    """Plan a loop, and run it; None for one that leaves its arrays."""
    try:
        seen = touched(loop.function, loop.space, loop.arrays(0), ordered=loop.ordered)
    except IndexError:
        return None
    plan = make_plan(read(loop), loop.space, ordered=loop.ordered, mode=mode)
    return Verdict(loop, plan, seen)


def read(loop: RandomLoop) -> Body:
    """A loop's body, as the analysis takes it."""
    facts = {"A": ArrayFacts(loop.shape), "B": ArrayFacts(loop.shape), "P": ArrayFacts((8,))}
    return read_body(loop.function, ndim=len(loop.space.shape), arguments=facts)
