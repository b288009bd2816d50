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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from harness.errors import HarnessError

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_COMPARISON = re.compile(rf"(<=|>=|<|>)\s*({_NUMBER})")
_RANGE = re.compile(rf"({_NUMBER})\s*\.\.\s*({_NUMBER})")
_COUNT = re.compile(r"(.*?)\s+in\s+(\d{1,9})\s+of\s+(\d{1,9})")
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
            raise HarnessError(f"condition {text!r} asks for {needed} of {of}: write 'in 4 of 5'")
        low, high, strict = cls._ends(body, text)
        return cls(text.strip(), low, high, strict, needed, of)

    @classmethod
    def parse_named(cls, text: str) -> Condition:
        """Read a condition on something that has a name: ``accuracy >= 0.85``."""
        match = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*(\S.*)", text)
        if not match:
            raise HarnessError(f"condition {text!r} has no name: write 'accuracy >= 0.85'")
        condition = cls.parse(match[2])
        condition.refuse_counting()
        return replace(condition, text=text.strip(), name=match[1])

    @staticmethod
    def _ends(body: str, text: str) -> tuple[float, float, bool]:
        if match := _COMPARISON.fullmatch(body):
            sign, number = match[1], float(match[2])
            ends = (-math.inf, number) if sign[0] == "<" else (number, math.inf)
            if math.isfinite(number):
                return *ends, "=" not in sign
        if match := _RANGE.fullmatch(body):
            low, high = float(match[1]), float(match[2])
            if -math.inf < low <= high < math.inf:
                return low, high, False
        raise HarnessError(f"condition {text!r} cannot be read: {FORMS}")

    def refuse_counting(self) -> None:
        """Raise if it counts pairs where there is only one number to look at."""
        if self.needed:
            raise HarnessError(f"condition {self.text!r} counts pairs, and here is one number: leave 'in ...' out")

    def met(self, value: float) -> bool:
        """Whether a number fulfils it; NaN never does."""
        on_open_end = self.strict and math.isfinite(value) and value in (self.low, self.high)
        return self.low <= value <= self.high and not on_open_end

    def all_met(self, low: float, high: float) -> bool:
        """Whether every number of an interval fulfils it."""
        return self.met(low) and self.met(high)

    def none_met(self, low: float, high: float) -> bool:
        """Whether no number of an interval fulfils it."""
        return (high <= self.low and not self.met(high)) or (low >= self.high and not self.met(low))

    def worse(self, low: float, high: float) -> float:
        """The end of an interval that speaks against it."""
        if self.high == math.inf:
            return low
        if self.low == -math.inf:
            return high
        return high if high > self.high else low


Bounds = tuple[float, float]
ANYWHERE, NOWHERE = (-math.inf, math.inf), (math.nan, math.nan)
_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
_ONE: dict[str, Callable[..., float]] = {"abs": abs, "log": math.log, "sqrt": math.sqrt}
_SOME: dict[str, Callable[..., float]] = {"min": min, "max": max}
_CALLS = _ONE | _SOME
_ALLOWED = "use alias.metric, numbers, + - * / **, parentheses, abs(x), log(x), sqrt(x), min(x, y), max(x, y)"
_DEEPEST = 50


@dataclass(frozen=True)
class Formula:
    """Arithmetic on the metrics of named cells.

    ``is_quotient`` says that it is a division of one side that names a metric by another such side.
    """

    text: str
    names: tuple[tuple[str, str], ...]
    is_quotient: bool
    _tree: ast.expr

    @classmethod
    def parse(cls, text: str) -> Formula:
        """Read a formula; raise ``HarnessError`` naming the place and what is allowed."""
        text = text.strip()
        try:
            tree = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            column = f" at column {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
            raise HarnessError(f"formula {text!r} does not parse{column}; {_ALLOWED}") from None
        _check(tree, text, 0)
        quotient = isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Div)
        sides = [list(_names(side)) for side in ast.iter_child_nodes(tree)] if quotient else []
        return cls(text, tuple(dict.fromkeys(_names(tree))), quotient and bool(sides[0] and sides[-1]), tree)

    def evaluate(self, values: Mapping[str, float]) -> float:
        """Work it out; ``values`` maps ``alias.metric`` to a number. What has no value is NaN."""
        return _evaluate(self._tree, {name: (float(value),) * 2 for name, value in values.items()})[0]

    def bounds(self, values: Mapping[str, float | Bounds]) -> Bounds | None:
        """The interval that it lies in, where some values are only known by bounds; ``None``: it has no value.

        Interval arithmetic: never too narrow, and exact where no name occurs twice.
        """
        ends = {name: value if isinstance(value, tuple) else (value, value) for name, value in values.items()}
        low, high = _evaluate(self._tree, ends)
        return None if math.isnan(low) else (low, high)

    def unreached(self, values: Mapping[str, float | Bounds]) -> bool:
        """Whether it compares aliases of which each has a value that is only known by bounds."""
        aliases = {alias for alias, _ in self.names}
        return 1 < len(aliases) == len({a for a, metric in self.names if isinstance(values[f"{a}.{metric}"], tuple)})


def _check(node: ast.expr, text: str, depth: int) -> None:
    """Allow arithmetic alone."""
    inside: list[ast.expr] = []
    match node:
        case _ if depth > _DEEPEST:
            raise HarnessError(f"formula {text!r} is nested more than {_DEEPEST} deep")
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool) and abs(number) < 1e300:
            pass
        case ast.Attribute(value=ast.Name()):
            pass
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            inside = [left, right]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inside = [operand]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if _takes(name, len(arguments)):
            inside = arguments
        case _:
            raise HarnessError(f"formula {text!r}: not allowed at column {node.col_offset + 1}; {_ALLOWED}")
    for part in inside:
        _check(part, text, depth + 1)


def _takes(name: str, count: int) -> bool:
    return (name in _ONE and count == 1) or (name in _SOME and count > 1)


def _names(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.value.id, node.attr


def _evaluate(node: ast.expr, values: Mapping[str, Bounds]) -> Bounds:
    """The interval of a node's value; a number is an interval of one point."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number), float(number)
        case ast.Attribute(value=ast.Name(id=alias), attr=metric):
            return values.get(f"{alias}.{metric}", NOWHERE)
        case ast.BinOp(left=left, op=op, right=right):
            return _binary(op, _evaluate(left, values), _evaluate(right, values))
        case ast.UnaryOp(operand=operand):
            return _hull(operator.neg, _evaluate(operand, values))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            operands = [_evaluate(argument, values) for argument in arguments]
            low, high = _hull(_CALLS[name], *operands)
            return (0.0, high) if name == "abs" and operands[0][0] < 0 < operands[0][1] else (low, high)
    raise AssertionError(node)


def _binary(op: ast.operator, left: Bounds, right: Bounds) -> Bounds:
    """Powers of negative numbers and quotients by what may be zero are not monotone: they may be anything."""
    pole = isinstance(op, ast.Div) and right[0] < 0 < right[1]
    fold = isinstance(op, ast.Pow) and left[0] < 0 and (left[0] < left[1] or right[0] < right[1])
    return ANYWHERE if pole or fold else _hull(_BINARY[type(op)], left, right)


def _hull(function: Callable[..., float], *operands: Bounds) -> Bounds:
    """What a function that is monotone in each operand makes of intervals: its values at all corners span it.

    Corners such as inf / inf have no value; the others then reach every limit.
    """
    if any(math.isnan(end) for operand in operands for end in operand):
        return NOWHERE
    unknown = ANYWHERE if any(low < high for low, high in operands) else NOWHERE
    try:
        corners = [float(function(*corner)) for corner in itertools.product(*map(dict.fromkeys, operands))]
    except (ArithmeticError, ValueError):
        return unknown
    known = [corner for corner in corners if not math.isnan(corner)]
    return (min(known), max(known)) if known else unknown


def parse_precondition(text: str) -> tuple[Formula, Condition]:
    """Read ``b.final_accuracy >= 0.8``: a formula, and the condition that it has to fulfil."""
    match = re.fullmatch(r"(.*?)(<=|>=|<|>)(.*)", text.strip())
    if not match:
        raise HarnessError(f"precondition {text!r} cannot be read: write 'b.final_accuracy >= 0.8'")
    condition = Condition.parse(match[2] + match[3])
    condition.refuse_counting()
    return Formula.parse(match[1]), condition
