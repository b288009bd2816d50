"""Elements of arrays that lie beside others, written as elements of what they lie in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from harness_orion.arrays import DistArray
from harness_orion.lowering.ir import Along, Branch, Check, Elem, Expr, Loop, Op, Repeat, Set, Stmt, Var


@dataclass
class Beside:
    """``memories`` by their names in the generated code; ``places``: an array's memory, by name, and its column."""

    memories: dict[str, NDArray[Any]] = field(default_factory=dict)
    places: dict[str, tuple[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Beside:
        """Find which arguments lie beside others."""
        found, names = cls(), dict[int, str]()
        for name, argument in arguments.items():
            if isinstance(argument, DistArray) and argument.place is not None:
                memory = argument.place.memory
                held = names.setdefault(id(memory), f"beside{len(names)}_")
                found.memories[held] = memory
                found.places[f"{name}_"] = held, argument.place.column
        return found

    def written(self, statements: Sequence[Stmt]) -> list[Stmt]:
        """Statements over the memories."""
        return [self._statement(s) for s in statements]

    def _statement(self, s: Stmt) -> Stmt:
        if isinstance(s, Set):
            return self._set(s)
        if isinstance(s, Check):
            return Check(self._expr(s.condition), s.raised)
        if isinstance(s, Loop):
            return Loop(s.low, s.high, [self._set(x) for x in s.sets], [self._set(x) for x in s.first])
        if isinstance(s, Branch):
            return Branch(self._expr(s.test), self.written(s.then), self.written(s.other))
        if isinstance(s, Repeat):
            return Repeat(s.head, tuple(self._expr(o) for o in s.operands), self.written(s.body))
        return s

    def _set(self, s: Set) -> Set:
        return Set(s.target if isinstance(s.target, Var) else self._elem(s.target), self._expr(s.expr))

    def _expr(self, expr: Expr) -> Expr:
        if isinstance(expr, Elem):
            return self._elem(expr)
        if isinstance(expr, Op):
            return Op(expr.template, tuple(self._expr(o) for o in expr.operands), expr.type)
        return expr

    def _elem(self, elem: Elem) -> Elem:
        if elem.array not in self.places:
            return elem
        memory, column = self.places[elem.array]
        row, *inner = elem.subscripts
        return Elem(memory, (row, _moved(inner[0], column) if inner else str(column)), elem.type)


def _moved(subscript: str | Along, by: int) -> str | Along:
    if isinstance(subscript, Along):
        return Along(subscript.shift + by)
    return str(int(subscript) + by) if subscript.isdecimal() else f"{subscript} + {by}"
