"""A function under analysis: its names, how it got here, and the log that all accesses go to."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, NoReturn

from harness_orion.arrays import Accumulator, DistArray, DistArrayBuffer
from harness_orion.reading.accesses import Access, Argument, Mode
from harness_orion.reading.affine import Affine
from harness_orion.reading.source import Source
from harness_orion.reading.values import SPACE, Captured, Env, Kind, Known, Value, View, join_envs


@dataclass
class Log:
    """What has been seen of the whole body so far; nothing is recorded while a loop is still being settled."""

    ndim: int
    arguments: dict[str, Argument]
    accesses: dict[Access, None] = field(default_factory=dict)
    buffers: dict[str, None] = field(default_factory=dict)
    accumulators: dict[str, None] = field(default_factory=dict)
    captured: dict[str, Any] = field(default_factory=dict)
    index_names: dict[int, str] = field(default_factory=dict)
    muted: int = 0


@dataclass
class Exits:
    """The states in which an inner loop is left, or begun again."""

    breaks: list[Env] = field(default_factory=list)
    continues: list[Env] = field(default_factory=list)


@dataclass
class Frame:
    """One function's analysis. ``env`` is None where no execution arrives."""

    source: Source
    log: Log
    env: Env | None
    callers: tuple[FunctionType, ...] = ()
    guards: int = 0
    loops: int = 0
    may_have_left: bool = False
    exits: list[Exits] = field(default_factory=list)
    returned: list[Value] = field(default_factory=list)

    def refuse(self, node: ast.AST, what: str, instead: str) -> NoReturn:
        """Say what is not supported here, and what to write instead."""
        self.source.refuse(node, what, instead)

    def lookup(self, node: ast.Name) -> Value:
        """A name's value: a local one, or something captured from outside."""
        if self.env is not None and node.id in self.env:
            return self.env[node.id]
        if node.id in self.source.function.__code__.co_varnames:
            self.refuse(node, f"{node.id} is read before it is given a value", "assign it first")
        return self._captured(node)

    def _captured(self, node: ast.Name) -> Value:
        found = captured_object(self.source.function, node.id)
        if found is None:
            self.refuse(node, f"unknown name {node.id}", "define it before the loop is planned")
        found = found.thing
        if isinstance(found, DistArray | DistArrayBuffer | Accumulator):
            self.refuse(node, f"{node.id} is captured from outside", "pass it to the loop as an argument")
        self.log.captured[node.id] = found
        return Value(views=frozenset({Captured(node.id)}), known=Known(found))

    def record(self, node: ast.AST, view: View, mode: Mode) -> None:
        """Note an access to a view's memory."""
        if self.log.muted or (view.array == SPACE and mode == "read"):
            return
        access = Access(
            view.array,
            mode,
            view.subscripts,
            self.source.place(node),
            ast.unparse(node),
            guarded=self.guards > 0 or self.may_have_left,
            repeated=self.loops > 0,
        )
        self.log.accesses[access] = None

    def read_whole(self, node: ast.AST, value: Value) -> None:
        """Note that whole arrays are read; what was indexed has been noted there."""
        for view in value.arrays:
            if view.is_whole:
                self.record(node, view, "read")

    def mutate(self, node: ast.AST, value: Value, *, reads: bool = False) -> None:
        """Note that a value's memory changes; what was captured may not."""
        if value.captured is not None:
            self.refuse(
                node,
                f"{value.captured.name} is captured from outside, and the body changes it",
                "pass it to the loop as a DistArray, a DistArrayBuffer or an Accumulator",
            )
        if value.kind in (Kind.BUFFER, Kind.ACCUMULATOR):
            self.refuse(node, f"{value.name} is changed other than by its own name", f"write {value.name}[...] += ...")
        for view in value.arrays:
            if reads:
                self.record(node, view, "read")
            self.record(node, view, "write")

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Note that what follows does not run each time."""
        self.guards += 1
        yield
        self.guards -= 1

    @contextmanager
    def repeated(self) -> Iterator[None]:
        """Note that what follows may run several times."""
        self.loops += 1
        self.guards += 1
        yield
        self.loops -= 1
        self.guards -= 1

    @contextmanager
    def muted(self) -> Iterator[None]:
        """Record nothing meanwhile."""
        self.log.muted += 1
        yield
        self.log.muted -= 1

    def merge(self, *envs: Env | None) -> None:
        """Go on from where several states meet."""
        self.env = join_envs(*envs)


def captured_object(function: FunctionType, name: str) -> Known | None:
    """What a free name of a function stands for; None if it is unknown."""
    code = function.__code__
    if name in code.co_freevars:
        cell = (function.__closure__ or ())[code.co_freevars.index(name)]
        try:
            return Known(cell.cell_contents)
        except ValueError:
            return None
    for names in (function.__globals__, vars(builtins)):
        if name in names:
            return Known(names[name])
    return None


def space_view(array: str, ndim: int) -> View:
    """The memory of the loop's ``val``: the entry under the key."""
    return View(array, tuple(Affine.index(d, ndim) for d in range(ndim)), ())
