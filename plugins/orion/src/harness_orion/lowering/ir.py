"""Lowered code: scalar expressions over elements, and loops over the elements of rows, before it is written as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from harness_orion.lowering.types import INT, Type


@dataclass(frozen=True)
class Const:
    """A number."""

    value: Any
    type: Type


@dataclass(frozen=True)
class Var:
    """A local number."""

    name: str
    type: Type


@dataclass(frozen=True)
class Along:
    """The subscript ``k + shift``, k being the index of the loop over a row."""

    shift: int = 0


@dataclass(frozen=True)
class Elem:
    """An element, or, with a subscript along a row, each of a row in turn; other subscripts are names or numbers."""

    array: str
    subscripts: tuple[str | Along, ...]
    type: Type

    @property
    def along(self) -> tuple[tuple[int, int], ...]:
        """The axes that follow the row, with their shifts."""
        return tuple((n, s.shift) for n, s in enumerate(self.subscripts) if isinstance(s, Along))


@dataclass(frozen=True)
class Op:
    """A template over operands."""

    template: str
    operands: tuple[Expr, ...]
    type: Type


@dataclass(frozen=True)
class Counter:
    """The index of the loop over a row, plus ``shift``."""

    shift: int = 0
    type: Type = INT


Expr = Const | Var | Elem | Op | Counter


@dataclass(frozen=True)
class Set:
    """``target = expr``."""

    target: Var | Elem
    expr: Expr


@dataclass(frozen=True)
class Check:
    """Stop with an exception where a condition fails."""

    condition: Expr
    raised: str


@dataclass
class Loop:
    """``for k in range(low, high)`` over sets; ``first`` are done before it, such as a sum's zero."""

    low: int
    high: int
    sets: list[Set]
    first: list[Set] = field(default_factory=list)


@dataclass
class Branch:
    """``if test`` with both arms."""

    test: Expr
    then: list[Stmt] = field(default_factory=list)
    other: list[Stmt] = field(default_factory=list)


@dataclass
class Repeat:
    """A loop of the body's own: its head as text, with what its bounds read."""

    head: str
    operands: tuple[Expr, ...]
    body: list[Stmt]


@dataclass(frozen=True)
class Jump:
    """``break``, ``continue``, and what leaves an iteration."""

    text: str


@dataclass(frozen=True)
class Scan:
    """Make each of the first ``length`` elements of a row in memory the sum up to it, in no certain order."""

    row: Elem
    length: int


Stmt = Set | Check | Loop | Branch | Repeat | Jump | Scan


def parts(expr: Expr) -> Iterator[Expr]:
    """An expression and all in it."""
    yield expr
    if isinstance(expr, Op):
        for operand in expr.operands:
            yield from parts(operand)


def shifted(expr: Expr, by: int) -> Expr:
    """The expression that is at k what this one is at k + by."""
    if isinstance(expr, Elem):
        subscripts = tuple(Along(s.shift + by) if isinstance(s, Along) else s for s in expr.subscripts)
        return replace(expr, subscripts=subscripts)
    if isinstance(expr, Counter):
        return Counter(expr.shift + by)
    if isinstance(expr, Op):
        return replace(expr, operands=tuple(shifted(o, by) for o in expr.operands))
    return expr


def elements(expr: Expr) -> set[Elem]:
    """The elements that it reads."""
    return {e for e in parts(expr) if isinstance(e, Elem)}


def names(expr: Expr) -> set[str]:
    """The local numbers that it reads, subscripts among them."""
    found = {e.name for e in parts(expr) if isinstance(e, Var)}
    return found | {s for e in elements(expr) for s in e.subscripts if isinstance(s, str)}
