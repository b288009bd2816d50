"""``@parallel_for``: an ordinary function becomes a loop over an iteration space."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, update_wrapper
from types import FunctionType
from typing import TYPE_CHECKING, Any

from harness import HarnessError
from harness_orion.analysis.dependences import Mode
from harness_orion.analysis.plan import Plan
from harness_orion.analysis.strategies import make_plan
from harness_orion.reading.affine import Key
from harness_orion.reading.binding import bind, read_loop
from harness_orion.running.serial import run_serial
from harness_orion.space import Space, as_space

if TYPE_CHECKING:
    from harness_orion.running.program import Program


class Loop:
    """A loop body with its iteration space; called with its arrays it runs serially, in pure Python: the reference."""

    def __init__(self, body: Callable[..., Any], space: Any, *, ordered: bool = False) -> None:
        if not isinstance(body, FunctionType):
            raise HarnessError(f"a loop body is a function, not {type(body).__name__}")
        self.body = body
        self.ordered = ordered
        self._space = space
        update_wrapper(self, body)

    @cached_property
    def space(self) -> Space:
        """What the loop runs over."""
        return as_space(self._space)

    @property
    def where(self) -> str:
        """The file and line of the body."""
        return f"{self.body.__code__.co_filename}:{self.body.__code__.co_firstlineno}"

    def __call__(self, *arrays: Any) -> None:
        """Run serially over these arrays, changing them in place."""
        arguments = bind(self.body, arrays, self.where)
        run_serial(self.body, self.space, list(arguments.values()), ordered=self.ordered)

    def plan(self, *arrays: Any, mode: Mode = "exact", reuse: Key = ()) -> Plan:
        """Analyse the loop over these arrays and decide how it may run in parallel.

        ``mode``: "exact" integer sets, or the "paper" rules. ``reuse``: dimensions that the space is divided along now.
        Raises HarnessError, pointing into the body, for what cannot be analysed.
        """
        body = read_loop(self.body, self.space, bind(self.body, arrays, self.where), self.where)
        return make_plan(body, self.space, ordered=self.ordered, mode=mode, reuse=reuse)

    def compile(
        self,
        *arrays: Any,
        workers: int = 1,
        blocks: int = 1,
        mode: Mode = "exact",
        balanced: bool = True,
        tiled: bool = True,
        seed: int = 0,
        finite: bool = True,
    ) -> Program:
        """Plan the loop and compile it for these arrays and some threads; ``Program.run`` is one pass.

        ``blocks``: parts a worker has along either dimension of a 2d plan. ``balanced``: parts have about equal
        numbers of entries, not equal widths. ``tiled``: unordered loops over a sparse space have parts drawn from
        ``seed``, and go through each block in tiles that fit the cache, in an order drawn from it too.
        ``finite``: NaN, before the loop or after a pass, is an error. Numbers from outside are those of now.
        Raises HarnessError for what cannot be analysed, and for arrays that do not fit the loop.
        """
        from harness_orion.running.program import compile_plan

        arguments = bind(self.body, arrays, self.where)
        plan = self.plan(*arrays, mode=mode)
        return compile_plan(
            plan,
            self.space,
            self.body,
            arguments,
            workers=workers,
            blocks=blocks,
            balanced=balanced,
            tiled=tiled,
            seed=seed,
            finite=finite,
        )


def parallel_for(space: Any, *, ordered: bool = False) -> Callable[[Callable[..., Any]], Loop]:
    """Make ``body(key, val, *arrays)`` a loop over a shape, an array, a ``Grid``, or the ``Entries`` of a sparse array.

    ``ordered``: the result must be that of running keys in lexicographic order; else, that of some serial order.
    """
    return lambda body: Loop(body, space, ordered=ordered)
