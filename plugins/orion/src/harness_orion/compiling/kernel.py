"""What runs a loop's body over packed entries: compiled code where it can be had, else the body itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any, Literal, Protocol, cast

from harness import HarnessError
from harness_orion.analysis.plan import Plan
from harness_orion.arrays import DistArray
from harness_orion.compiling.forms import array_form, row_form
from harness_orion.compiling.python import PythonRun
from harness_orion.compiling.views import Facts
from harness_orion.lowering.types import Unsupported
from harness_orion.reading.binding import space_array
from harness_orion.running.packing import Packed
from harness_orion.space import Space

How = Literal["rows", "arrays", "python"]


class Run(Protocol):
    """Runs packed entries [start, stop) over arguments that are seen under their global indices."""

    def __call__(self, packed: Packed, start: int, stop: int, arguments: Sequence[Any], /) -> None:
        """Run them in order."""


@dataclass(frozen=True)
class Kernel:
    """A loop body, ready to run.

    ``how``: "rows" (scalar loops, compiled), "arrays" (the body's own array expressions, compiled) or "python";
    ``why`` says what stood in the way of a better one. ``source`` is the generated file. ``exact``: the
    result is that of the plain body, bit for bit; else to rounding, since sums may be taken in another order.
    """

    run: Run
    how: How
    why: str
    source: Path | None
    exact: bool
    facts: tuple[Facts, ...]

    def __call__(
        self,
        packed: Packed,
        start: int,
        stop: int,
        arguments: Sequence[Any],
        offsets: Sequence[Sequence[int]] | None = None,
    ) -> None:
        """Run entries [start, stop) over these arguments, in the order of the body's parameters.

        Arrays may be parts: ``offsets`` gives the global index that each axis of each begins with; None: all whole.
        Buffers and accumulators must be the caller's own (see ``own``).
        Raises HarnessError, naming the key, for a subscript that leaves its array and for an exception of the body.
        """
        if not 0 <= start <= stop <= len(packed):
            raise HarnessError(f"entries {start} to {stop} of {len(packed)}")
        given = [a.values if isinstance(a, DistArray) else a for a in arguments]
        at = offsets if offsets is not None else [()] * len(given)
        whole = [f.whole(a, o, packed, start, stop) for f, a, o in zip(self.facts, given, at, strict=True)]
        self.run(packed, start, stop, whole)


def build_kernel(plan: Plan, space: Space, arguments: Mapping[str, Any], function: FunctionType) -> Kernel:
    """Compile a planned loop's body for arguments of these types and shapes; ``function`` is the body."""
    facts = tuple(Facts.of(name, thing, plan) for name, thing in arguments.items())
    live = space_array(space, arguments)
    reasons = []
    for how, build in (("rows", row_form), ("arrays", array_form)):
        try:
            made = build(function, plan, space, arguments, live)
        except Unsupported as reason:
            reasons.append(f"{how}: {reason}")
        else:
            return Kernel(made.run, cast("How", how), "; ".join(reasons), made.source, made.exact, facts)
    position = None if live is None else list(arguments).index(live)
    return Kernel(PythonRun(function, position), "python", "; ".join(reasons), None, True, facts)
