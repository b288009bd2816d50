"""The state of a lowering: what each name of the body stands for, and the statements so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from numpy.typing import NDArray

from harness_orion.lowering.ir import Const, Expr, Set, Stmt, Var
from harness_orion.lowering.types import Type, Unsupported, promoted
from harness_orion.reading.affine import Affine
from harness_orion.space import Space


@dataclass(frozen=True)
class Free:
    """An axis of which a part is meant: ``length`` elements from ``low``."""

    low: int
    length: int


@dataclass(frozen=True)
class Ref:
    """Memory of an array: a subscript or a free axis each; ``order`` are the free ones, as they are to be indexed."""

    array: str
    type: Type
    axes: tuple[str | Free, ...]
    order: tuple[int, ...]

    @classmethod
    def whole(cls, array: str, of: Type, shape: tuple[int, ...]) -> Ref:
        """All of an array."""
        return cls(array, of, tuple(Free(0, n) for n in shape), tuple(range(len(shape))))

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents that are left."""
        return tuple(a.length for n in self.order for a in [self.axes[n]] if isinstance(a, Free))


@dataclass(frozen=True)
class Row:
    """A row of numbers: ``expr`` at each k in [low, low + length). ``ref``: the memory that it is, if it is a view."""

    expr: Expr
    low: int
    length: int
    ref: Ref | None = None


@dataclass(frozen=True)
class Items:
    """A tuple."""

    items: tuple[Thing, ...]


@dataclass(frozen=True)
class Object:
    """Something from outside: a module, a function, a constant tuple; or a method of a value."""

    thing: Any
    receiver: Thing | None = None


@dataclass(frozen=True)
class Buffered:
    """A buffer: its changes, and the marks of what was written."""

    values: Ref
    written: Ref


@dataclass(frozen=True)
class Total:
    """An accumulator: an array of its own shape, or of one element."""

    ref: Ref
    scalar: bool


@dataclass(frozen=True)
class Poison:
    """A name whose value depends on the way taken, in a manner that cannot be lowered."""

    why: str


Thing = Expr | Ref | Row | Items | Object | Buffered | Total | Poison | None


@dataclass
class Scope:
    """One function being lowered; a helper read in place has its own names, and shares the rest."""

    function: FunctionType
    shared: Shared
    env: dict[str, Thing] = field(default_factory=dict)
    shaky: frozenset[str] = frozenset()
    number: int = 0
    base_depth: int = 0
    loops: int = 0
    callers: tuple[FunctionType, ...] = ()
    returned: list[Thing] = field(default_factory=list)


@dataclass
class Shared:
    """What all functions of one body share while it is lowered."""

    space: Space
    types: dict[str, Type]
    out: list[Stmt] = field(default_factory=list)
    depth: int = 0
    count: int = 0
    rows: dict[str, tuple[Type, int]] = field(default_factory=dict)
    tables: dict[str, NDArray[Any]] = field(default_factory=dict)
    forms: dict[Expr, Affine] = field(default_factory=dict)
    spans: dict[Expr, tuple[int, int]] = field(default_factory=dict)
    fixed: set[Expr] = field(default_factory=set)
    places: dict[tuple[Expr, int, int], str] = field(default_factory=dict)
    sums: bool = False
    rounded: bool = False
    direct_call: bool = False

    def fresh(self, hint: str) -> str:
        """A name that nothing else has."""
        self.count += 1
        return f"{hint}_{self.count}"

    def emit(self, statement: Stmt) -> None:
        """Add a statement."""
        self.out.append(statement)

    def bind(self, expr: Expr, hint: str = "t") -> Expr:
        """Work an expression out now, if it is more than a name, so that what follows cannot change it."""
        if isinstance(expr, Const) or expr in self.fixed:
            return expr
        var = Var(self.fresh(hint), expr.type)
        self.fixed.add(var)
        self.know(var, self.affine_of(expr), self.span(expr))
        self.emit(Set(var, expr))
        return var

    def row(self, of: Type, length: int, hint: str = "row") -> Ref:
        """Memory for a row."""
        name = self.fresh(hint)
        self.rows[name] = (of, length)
        return Ref.whole(name, of, (length,))

    def slot(self, name: str, of: Type) -> Var:
        """A local number that several assignments share: its type is what all of them meet in."""
        before = self.types.get(name, of)
        if (before.kind == "b") != (of.kind == "b"):
            raise Unsupported(f"{name.rpartition('_')[0]} is a truth value here and a number there")
        found = promoted(before, of)
        if before != of and not before.weak and not of.weak:
            self.rounded = True
        self.types[name] = found
        return Var(name, found)

    def know(self, expr: Expr, form: Affine | None, span: tuple[int, int] | None) -> None:
        """Note the form of an index, and the values that it takes."""
        if form is not None:
            self.forms[expr] = form
        elif span is not None:
            self.spans[expr] = span

    def affine_of(self, expr: Expr) -> Affine | None:
        """The form of an index, if it follows from the key."""
        if isinstance(expr, Const) and expr.type.kind == "i":
            return Affine.of(int(expr.value), len(self.space.shape))
        return self.forms.get(expr)

    def span(self, expr: Expr) -> tuple[int, int] | None:
        """The least and greatest value that an index takes, if that is known."""
        form = self.affine_of(expr)
        return self.space.extremes(form) if form is not None else self.spans.get(expr)

    @contextmanager
    def block(self) -> Iterator[list[Stmt]]:
        """Collect what follows as the statements of an inner block."""
        outer, self.out = self.out, []
        places, self.places = self.places, dict(self.places)
        self.depth += 1
        try:
            yield self.out
        finally:
            self.depth -= 1
            self.out, self.places = outer, places


def same(a: Thing, b: Thing) -> bool:
    """Whether a name stands for one thing on both ways; the type of a number may not have settled yet."""
    return a == b or (isinstance(a, Var) and isinstance(b, Var) and a.name == b.name)


def joined(env: Mapping[str, Thing], *ends: Mapping[str, Thing]) -> dict[str, Thing]:
    """What names stand for after blocks: a row or a view that only some of them gave a name is lost."""
    found: dict[str, Thing] = dict(env)
    for end in ends:
        for name, value in end.items():
            if name not in found:
                found[name] = value if isinstance(value, Var) else Poison(f"{name} may have no value")
            elif not same(found[name], value):
                found[name] = Poison(f"{name} is a row on one way and another on the next")
    return found
