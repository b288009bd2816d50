"""Hoisting: a row over one that no iteration changes is multiplied by reciprocals, which are worked out once a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness_orion.lowering.fuse import written_arrays
from harness_orion.lowering.ir import (
    Along,
    Branch,
    Const,
    Counter,
    Elem,
    Expr,
    Loop,
    Op,
    Repeat,
    Set,
    Stmt,
    elements,
    parts,
)
from harness_orion.lowering.scope import Shared
from harness_orion.lowering.types import Type

QUOTIENT, PRODUCT = "({0} / {1})", "({0} * {1})"


def with_reciprocals(shared: Shared, statements: Sequence[Stmt], arguments: set[str]) -> tuple[list[Stmt], list[Stmt]]:
    """The loops that work reciprocals out, and the statements with them; ``arguments`` are names of numbers."""
    hoisting = _Hoisting(shared, written_arrays(statements), arguments)
    found = hoisting.all(statements)
    return hoisting.before, found


@dataclass
class _Hoisting:
    shared: Shared
    written: set[str]
    arguments: set[str]
    before: list[Stmt] = field(default_factory=list)
    known: dict[tuple[Expr, int, int], Elem] = field(default_factory=dict)

    def all(self, statements: Sequence[Stmt]) -> list[Stmt]:
        return [self._one(s) for s in statements]

    def _one(self, s: Stmt) -> Stmt:
        if isinstance(s, Loop):
            return Loop(s.low, s.high, [Set(x.target, self._in(x.expr, s)) for x in s.sets], s.first)
        if isinstance(s, Branch):
            return Branch(s.test, self.all(s.then), self.all(s.other))
        return Repeat(s.head, s.operands, self.all(s.body)) if isinstance(s, Repeat) else s

    def _in(self, expr: Expr, loop: Loop) -> Expr:
        if not isinstance(expr, Op):
            return expr
        operands = tuple(self._in(o, loop) for o in expr.operands)
        if expr.template == QUOTIENT and self._is_fixed(operands[1]):
            return Op(PRODUCT, (operands[0], self._reciprocal(operands[1], loop)), expr.type)
        return Op(expr.template, operands, expr.type)

    def _is_fixed(self, expr: Expr) -> bool:
        """Whether it is a row, and the same in every iteration."""
        return any(e.along for e in elements(expr)) and all(self._leaf_is_fixed(p) for p in parts(expr))

    def _leaf_is_fixed(self, part: Expr) -> bool:
        if isinstance(part, Elem):
            at = [s for s in part.subscripts if not isinstance(s, Along)]
            return part.array not in self.written and all(s.isdecimal() for s in at)
        return isinstance(part, Const | Counter | Op) or part.name in self.arguments

    def _reciprocal(self, divisor: Expr, loop: Loop) -> Elem:
        found = self.known.get((divisor, loop.low, loop.high))
        if found is None:
            of = Type(divisor.type.dtype)
            name = self.shared.row(of, loop.high, "reciprocals").array
            found = self.known[divisor, loop.low, loop.high] = Elem(name, (Along(),), of)
            one = Op(QUOTIENT, (Const(of.dtype.type(1), of), divisor), of)
            self.before.append(Loop(loop.low, loop.high, [Set(found, one)]))
        return found
