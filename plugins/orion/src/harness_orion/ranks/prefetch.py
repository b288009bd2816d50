"""Which rows of served arrays a run of entries will touch, found before it runs."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness_orion.ranks.server import Table
from harness_orion.ranks.slicing import RECORD, Slicer
from harness_orion.reading.accesses import Body
from harness_orion.reading.source import Source
from harness_orion.running.packing import Packed

Rows = NDArray[np.int64]


class Prefetch:
    """A body's slice, ready to run; arrays that the loop only reads are there for it."""

    def __init__(
        self, function: FunctionType, body: Body, arguments: Mapping[str, Any], tables: Mapping[str, Table]
    ) -> None:
        source = Source.of(function)
        changing = {n for n in body.arrays if body.is_written(n)} | set(tables) | set(body.buffers)
        slicer = Slicer(source.tree, changing | set(body.accumulators), tables, _modules(function))
        self.whole = frozenset(slicer.whole)
        self._tables = tables
        self._numbers = {
            name: np.arange(t.rows).reshape(t.shape[: t.axes]) for name, t in tables.items() if name not in self.whole
        }
        self._arguments = list(arguments.values())
        self._slice = _compiled(source, slicer.statements, function) if self._numbers else None

    def rows(self, packed: Packed, start: int, stop: int) -> dict[str, Rows]:
        """The rows of each table that entries [start, stop) touch, each once and in order: too many, not too few."""
        if start == stop:
            return {name: np.empty(0, np.int64) for name in self._tables}
        found = self._found(packed, start, stop)
        return {n: _joined(found[n]) if n in found else np.arange(t.rows) for n, t in self._tables.items()}

    def _found(self, packed: Packed, start: int, stop: int) -> dict[str, list[int]]:
        """What the slice says of each table that it can tell of."""
        found: dict[str, list[int]] = {name: [] for name in self._numbers}

        def touched(name: str, index: Any) -> None:
            if name in found:
                rows = self._at(name, index)
                found[name] += rows.ravel().tolist() if isinstance(rows, np.ndarray) else (rows,)

        run = self._slice
        for n in range(start, stop) if run else ():
            if run and not _succeeds(run, (touched, *packed.entry(n), *self._arguments)):
                return {}
        return found

    def _at(self, name: str, index: Any) -> Any:
        """The numbers of the rows under a subscript; none where it leaves the array: its reference may not run."""
        axes = self._tables[name].axes
        try:
            return self._numbers[name][index[:axes] if isinstance(index, tuple) else index]
        except IndexError:
            return np.empty(0, np.int64)


def _joined(found: list[int]) -> Rows:
    return np.unique(np.array(found, np.int64))


def _succeeds(slice_: Callable[..., None], arguments: tuple[Any, ...]) -> bool:
    """Run the slice of one iteration; in a branch that would not be taken it may meet anything."""
    try:
        slice_(*arguments)
    except Exception:
        return False
    return True


def _compiled(source: Source, statements: list[ast.stmt], function: FunctionType) -> Callable[..., None]:
    """Make the slice a function of the recorder and the body's own parameters."""
    tree = source.tree
    arguments = ast.arguments([], [ast.arg(RECORD), *tree.args.posonlyargs, *tree.args.args], None, [], [], None, [])
    made = ast.FunctionDef(tree.name, arguments, statements or [ast.Pass()], [])
    module = ast.fix_missing_locations(ast.Module([made], []))
    (code,) = (c for c in compile(module, source.file, "exec").co_consts if isinstance(c, CodeType))
    return FunctionType(code, {**function.__globals__, **_captured(function)})


def _captured(function: FunctionType) -> dict[str, Any]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {name: cell.cell_contents for name, cell in cells}


def _modules(function: FunctionType) -> dict[str, ModuleType]:
    names = {**function.__globals__, **_captured(function)}
    return {name: thing for name, thing in names.items() if isinstance(thing, ModuleType)}
