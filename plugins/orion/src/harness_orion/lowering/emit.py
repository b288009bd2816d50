"""From lowered statements to lines of Python that Numba compiles."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from harness_orion.lowering.fuse import users
from harness_orion.lowering.ir import (
    Along,
    Check,
    Const,
    Counter,
    Elem,
    Expr,
    Jump,
    Loop,
    Op,
    Repeat,
    Scan,
    Set,
    Stmt,
    Var,
    elements,
)

INDENT = "    "


def written(expr: Expr) -> str:
    """An expression as text."""
    if isinstance(expr, Const):
        return constant(expr)
    if isinstance(expr, Var):
        return expr.name
    if isinstance(expr, Elem):
        return f"{expr.array}[{', '.join(map(_subscript, expr.subscripts))}]"
    if isinstance(expr, Counter):
        return f"({_subscript(Along(expr.shift))})"
    return expr.template.format(*(written(o) for o in expr.operands))


def constant(expr: Const) -> str:
    """A number as text, in its type."""
    text = str(expr.value).replace("inf", "np.inf").replace("nan", "np.nan")
    if expr.type.dtype.str[1:] not in ("i8", "f8", "b1"):
        return f"{expr.type.code}({text})"
    return f"({text})" if text.startswith("-") else text


def _subscript(subscript: str | Along) -> str:
    if isinstance(subscript, str):
        return subscript
    return "k" if not subscript.shift else f"k {'-' if subscript.shift < 0 else '+'} {abs(subscript.shift)}"


class Writer:
    """Writes statements; ``local`` are rows that no loop but one uses, whose elements need no memory."""

    def __init__(self, statements: Sequence[Stmt], rows: Sequence[str]) -> None:
        self.numbers = count()
        self.local = _in_one_loop(statements, rows)

    def lines(self, statements: Sequence[Stmt]) -> list[str]:
        """Statements as lines, not indented."""
        found = [line for s in statements for line in self._lines(s)]
        return found or ["pass"]

    def _lines(self, s: Stmt) -> list[str]:
        if isinstance(s, Set):
            return [f"{written(s.target)} = {written(s.expr)}"]
        if isinstance(s, Check):
            return [f"if not ({written(s.condition)}):", f"{INDENT}raise {s.raised}"]
        if isinstance(s, Jump):
            return [s.text]
        if isinstance(s, Scan):
            return [f"accumulate({s.row.array}, {s.length})"]
        if isinstance(s, Loop):
            return [
                *(line for one in s.first for line in self._lines(one)),
                f"for k in range({s.low}, {s.high}):",
                *indented(self._row(s.sets)),
            ]
        if isinstance(s, Repeat):
            return [s.head.format(*map(written, s.operands)), *indented(self.lines(s.body))]
        other = ["else:", *indented(self.lines(s.other))] if s.other else []
        return [f"if {written(s.test)}:", *indented(self.lines(s.then)), *other]

    def _row(self, sets: Sequence[Set]) -> list[str]:
        """The turns of a row loop: each element is loaded once, and what was stored is not loaded again."""
        held: dict[Elem, str] = {}
        lines: list[str] = []
        for s in sets:
            for elem in sorted(elements(s.expr), key=repr):
                if elem not in held:
                    held[elem] = f"x{next(self.numbers)}"
                    lines.append(f"{held[elem]} = {written(elem)}")
            text = written(_with_names(s.expr, held))
            if isinstance(s.target, Var):
                lines.append(f"{s.target.name} = {text}")
                continue
            name = f"x{next(self.numbers)}"
            lines.append(f"{name} = {text}")
            if s.target.array not in self.local:
                lines.append(f"{written(s.target)} = {name}")
            held = {e: n for e, n in held.items() if e.array != s.target.array} | {s.target: name}
        return lines


def indented(lines: Sequence[str]) -> list[str]:
    """One level deeper."""
    return [INDENT + line for line in lines]


def _with_names(expr: Expr, held: dict[Elem, str]) -> Expr:
    if isinstance(expr, Elem):
        return Var(held[expr], expr.type)
    if isinstance(expr, Op):
        return Op(expr.template, tuple(_with_names(o, held) for o in expr.operands), expr.type)
    return expr


def _in_one_loop(statements: Sequence[Stmt], rows: Sequence[str]) -> set[str]:
    used = list(users(statements))
    return {row for row in rows if [isinstance(s, Loop) for s, arrays in used if row in arrays] == [True]}
