"""What the front end knows of a value: its affine form, and the memory that changing it would change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from harness_orion.reading.affine import ANY, Affine, Subscript

SPACE = "<the iteration space>"


class Known:
    """A captured object itself: a module, a function, a table. Two are equal if they hold one and the same object."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Known) and other.thing is self.thing

    def __hash__(self) -> int:
        return id(self.thing)


@dataclass(frozen=True)
class View:
    """Memory of an array: one subscript an axis. ``free`` are the axes that are still to be indexed, in order.

    ``free`` is None where that is not known, as after a transposition; a further subscript then narrows nothing.
    """

    array: str
    subscripts: tuple[Subscript, ...]
    free: tuple[int, ...] | None

    @classmethod
    def whole(cls, array: str, ndim: int) -> View:
        """All of an array."""
        return cls(array, (ANY,) * ndim, tuple(range(ndim)))

    @property
    def is_whole(self) -> bool:
        """Whether nothing has been indexed yet."""
        return self.free is not None and len(self.free) == len(self.subscripts)


@dataclass(frozen=True)
class Captured:
    """An object from outside the loop that is not an argument: it may be read."""

    name: str


class Kind(Enum):
    """What a name of the body stands for, as far as its use is restricted."""

    PLAIN = "plain"
    CONTAINER = "container"
    BUFFER = "buffer"
    ACCUMULATOR = "accumulator"


@dataclass(frozen=True)
class Value:
    """An abstract value. ``items`` are those of a tuple; ``truth`` says that it may be a boolean, or a mask."""

    affine: Affine | None = None
    views: frozenset[View | Captured] = frozenset()
    items: tuple[Value, ...] | None = None
    known: Known | None = None
    kind: Kind = Kind.PLAIN
    name: str | None = None
    truth: bool = False

    @property
    def arrays(self) -> list[View]:
        """The array memory among what it shares, in a fixed order."""
        return sorted((v for v in self.views if isinstance(v, View)), key=str)

    @property
    def captured(self) -> Captured | None:
        """An object from outside that it shares memory with."""
        return next((v for v in self.views if isinstance(v, Captured)), None)

    def transposed(self) -> Value:
        """The same memory, its axes in reverse."""
        turned = {replace(v, free=v.free[::-1]) if isinstance(v, View) and v.free else v for v in self.views}
        return Value(views=frozenset(turned))

    def element(self) -> Value:
        """Something inside of it: it shares the same memory, of which no more is known."""
        return Value(views=opened(self.views), kind=self.kind, truth=self.truth)


FRESH = Value()


def opened(views: frozenset[View | Captured]) -> frozenset[View | Captured]:
    """The same memory, with nothing known of the axes that are left."""
    return frozenset(replace(v, free=None) if isinstance(v, View) else v for v in views)


def union(*values: Value) -> frozenset[View | Captured]:
    """All memory that some of the values share."""
    return frozenset(view for value in values for view in value.views)


def packed(items: tuple[Value, ...]) -> Value:
    """A tuple of values."""
    return Value(items=items, views=union(*items), kind=Kind.CONTAINER)


def join(a: Value, b: Value) -> Value:
    """What is known of a value that is one or the other."""
    if a == b:
        return a
    items = None
    if a.items is not None and b.items is not None and len(a.items) == len(b.items):
        items = tuple(join(x, y) for x, y in zip(a.items, b.items, strict=True))
    return Value(
        affine=a.affine if a.affine == b.affine else None,
        views=a.views | b.views,
        items=items,
        known=a.known if a.known == b.known else None,
        kind=a.kind if b.kind is Kind.PLAIN else b.kind,
        name=a.name if a.name == b.name else None,
        truth=a.truth or b.truth,
    )


Env = dict[str, Value]


def join_envs(*envs: Env | None) -> Env | None:
    """Merge what is known at a place that is reached from several; None is a place that is never reached."""
    reached = [e for e in envs if e is not None]
    if not reached:
        return None
    merged = dict(reached[0])
    for env in reached[1:]:
        for name, value in env.items():
            merged[name] = join(merged[name], value) if name in merged else value
    return merged
