"""Arithmetic on metrics, and conditions on numbers: the small language that suites are written in.

A formula such as ``a.risk / b.risk`` is parsed into Python's own syntax tree and walked; nothing is
ever evaluated as code. A condition is ``<= 1.02``, ``0.98..1.02``, or either ``in 4 of 5``.
"""

from __future__ import annotations

import ast
import itertools
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_COMPARISON = re.compile(rf"(<=|>=|<|>)\s*({_NUMBER})")
_RANGE = re.compile(rf"({_NUMBER}?)\s*\.\.\s*({_NUMBER})")
_COUNT = re.compile(r"(.*?)\s+in\s+(\d+)\s+of\s+(\d+)")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
FORMS = "write '<= 1.02', '>= 2', '0.98..1.02', or one of these and 'in 4 of 5'"


@dataclass(frozen=True)
class Condition:
    """What a number has to fulfil: ``low <= x <= high``, an end being left out where it is infinite.

    ``needed`` of ``of`` pairs must fulfil it one by one, where the condition is one of counting.
    """

    text: str
    low: float
    high: float
    strict: bool = False
    needed: int = 0
    of: int = 0
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition; raise ``HarnessError`` saying which forms there are."""
        counted = _COUNT.fullmatch(text.strip())
        body, needed, of = (counted[1], int(counted[2]), int(counted[3])) if counted else (text.strip(), 0, 0)
        if counted and not 0 < needed <= of:
            raise HarnessError(f"condition {text!r} asks for {needed} of {of}")
        low, high, strict = cls._ends(body, text)
        return cls(text.strip(), low, high, strict, needed, of)

    @classmethod
    def parse_named(cls, text: str) -> Condition:
        """Read a condition on something that has a name: ``accuracy >= 0.85``."""
        match = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*(\S.*)", text)
        if not match:
            raise HarnessError(f"condition {text!r} has no name: write 'accuracy >= 0.85'")
        condition = cls.parse(match[2])
        return cls(text.strip(), condition.low, condition.high, condition.strict, name=match[1])

    @staticmethod
    def _ends(body: str, text: str) -> tuple[float, float, bool]:
        if match := _COMPARISON.fullmatch(body):
            sign, number = match[1], float(match[2])
            ends = (-math.inf, number) if sign[0] == "<" else (number, math.inf)
            return *ends, "=" not in sign
        if (match := _RANGE.fullmatch(body)) and match[1]:
            low, high = float(match[1]), float(match[2])
            if low <= high:
                return low, high, False
        raise HarnessError(f"condition {text!r} cannot be read: {FORMS}")

    def met(self, value: float) -> bool:
        """Whether a number fulfils it; NaN never does."""
        if self.strict:
            return self.low < value < self.high
        return self.low <= value <= self.high

    def all_met(self, low: float, high: float) -> bool:
        """Whether every number of an interval fulfils it."""
        return self.met(low) and self.met(high)

    def none_met(self, low: float, high: float) -> bool:
        """Whether no number of an interval fulfils it."""
        if self.strict:
            return high <= self.low or low >= self.high
        return high < self.low or low > self.high

    def worse(self, low: float, high: float) -> float:
        """The end of an interval that speaks against it."""
        if self.high == math.inf:
            return low
        if self.low == -math.inf:
            return high
        return high if high > self.high else low


Bounds = tuple[float, float]
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_CALLS: dict[str, Callable[..., Any]] = {"abs": abs, "min": min, "max": max, "log": math.log, "sqrt": math.sqrt}
_ALLOWED = "use alias.metric, numbers, + - * / **, parentheses, " + ", ".join(f"{name}()" for name in _CALLS)
_DEEPEST = 50


@dataclass(frozen=True)
class Formula:
    """Arithmetic on the metrics of named cells."""

    text: str
    names: tuple[tuple[str, str], ...]
    is_quotient: bool
    _tree: ast.expr

    @classmethod
    def parse(cls, text: str) -> Formula:
        """Read a formula; raise ``HarnessError`` naming the place and what is allowed."""
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            column = f" at column {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
            raise HarnessError(f"formula {text!r} does not parse{column}; {_ALLOWED}") from None
        found: list[tuple[str, str]] = []
        _check(tree, text, found, 0)
        quotient = isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Div) and len(found) > 1
        return cls(text, tuple(dict.fromkeys(found)), quotient and _named(tree), tree)

    def evaluate(self, values: Mapping[str, float]) -> float:
        """Work it out; ``values`` maps ``alias.metric`` to a number. What has no value is NaN."""
        try:
            result = _evaluate(self._tree, values)
        except (ArithmeticError, ValueError):
            return math.nan
        return result if isinstance(result, float) else math.nan

    def bounds(self, values: Mapping[str, float | Bounds]) -> Bounds | None:
        """The interval that it lies in, where some values are only known by bounds; ``None``: anywhere."""
        ends = {name: value if isinstance(value, tuple) else (value,) for name, value in values.items()}
        corners = [self.evaluate(dict(zip(ends, corner, strict=True))) for corner in itertools.product(*ends.values())]
        if any(math.isnan(corner) for corner in corners):
            return None
        return min(corners), max(corners)


def _check(node: ast.expr, text: str, found: list[tuple[str, str]], depth: int) -> None:
    """Allow arithmetic alone, and collect the names."""
    match node:
        case _ if depth > _DEEPEST:
            pass
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            return
        case ast.Attribute(value=ast.Name(id=alias), attr=metric):
            found.append((alias, metric))
            return
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            _check(left, text, found, depth + 1)
            _check(right, text, found, depth + 1)
            return
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check(operand, text, found, depth + 1)
            return
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _CALLS and arguments:
            for argument in arguments:
                _check(argument, text, found, depth + 1)
            return
    raise HarnessError(f"formula {text!r}: not allowed at column {node.col_offset + 1}; {_ALLOWED}")


def _named(tree: ast.expr) -> bool:
    """Whether both sides of a quotient name a metric."""
    assert isinstance(tree, ast.BinOp)
    return all(any(isinstance(n, ast.Attribute) for n in ast.walk(side)) for side in (tree.left, tree.right))


def _evaluate(node: ast.expr, values: Mapping[str, float]) -> Any:
    match node:
        case ast.Constant(value=value):
            return float(value)  # type: ignore[arg-type]
        case ast.Attribute(value=ast.Name(id=alias), attr=metric):
            return values.get(f"{alias}.{metric}", math.nan)
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_evaluate(left, values), _evaluate(right, values))
        case ast.UnaryOp(operand=operand):
            return -_evaluate(operand, values)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _CALLS[name](*(_evaluate(argument, values) for argument in arguments))
    raise AssertionError(node)


def parse_precondition(text: str) -> tuple[Formula, Condition]:
    """Read ``b.final_accuracy >= 0.8``: a formula, and the condition that it has to fulfil."""
    match = re.fullmatch(r"(.*?)(<=|>=|<|>)(.*)", text.strip())
    if not match:
        raise HarnessError(f"precondition {text!r} cannot be read: write 'b.final_accuracy >= 0.8'")
    return Formula.parse(match[1]), Condition.parse(match[2] + match[3])
