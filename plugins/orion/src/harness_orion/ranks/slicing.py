"""A loop body cut down to what says which rows of served arrays it will touch (Wei et al., EuroSys 2019, section 4.4).

What depends on a value that the loop reads from an array is dropped, and so is the statement that needs it; what is
left can run before anything has been fetched. Where that leaves a branch undecided both arms are taken, so that the
rows found are at least those that the body touches. An array with a subscript that was dropped is needed whole.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType

from harness_orion.ranks.late import SHAPE, Branch, Lateness, condition

LEAVES = ast.Break | ast.Continue | ast.Return
SCOPES = ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
RECORD = "touched__"


class Slicer:
    """One body's slice: ``arrays`` must not be read, of those ``served`` the rows are wanted.

    ``statements`` call ``RECORD(name, subscript)`` for each reference; ``whole`` are the arrays that are needed whole.
    """

    def __init__(
        self, tree: ast.FunctionDef, arrays: Iterable[str], served: Iterable[str], modules: Mapping[str, ModuleType]
    ) -> None:
        arrays = set(arrays)
        self.late = Lateness(tree, arrays, modules)
        self.served = frozenset(served)
        self.whole: set[str] = set()
        self.statements = self._all(tree.body)
        if any(isinstance(node, LEAVES) for node in self.late.undecided()) or _rebinds(tree, arrays):
            self.whole |= self.served

    def _all(self, body: list[ast.stmt]) -> list[ast.stmt]:
        return [kept for statement in body for kept in self._one(statement)]

    def _one(self, node: ast.stmt) -> Iterator[ast.stmt]:
        if isinstance(node, Branch):
            yield from self._branch(node)
            return
        yield from self._recorded(node)
        if isinstance(node, ast.Return):
            yield ast.Return(None)
        elif not self.late.has(node):
            yield node

    def _branch(self, node: Branch) -> Iterator[ast.stmt]:
        test = condition(node)
        touched = list(self._recorded(test))
        body, orelse = self._all(node.body), self._all(node.orelse)
        yield from touched
        if self.late.has(test):
            yield from (*body, *orelse)
        elif isinstance(node, ast.For):
            yield ast.For(node.target, node.iter, body or [ast.Pass()], orelse)
        elif isinstance(node, ast.While):
            yield ast.While(test, body or [ast.Pass()], orelse)
        else:
            yield ast.If(test, body or [ast.Pass()], orelse)

    def _recorded(self, node: ast.AST) -> Iterator[ast.stmt]:
        """Calls that tell the rows which a statement touches; the name of an array by itself means all of it."""
        told: set[ast.AST] = set()
        for found in _in_this_scope(node):
            if not (isinstance(found, ast.Subscript) and isinstance(found.value, ast.Name)):
                continue
            name = found.value.id
            if name in self.served and not self.late.has(found.slice) and not _has_scope(found.slice):
                told.add(found.value)
                call = ast.Call(ast.Name(RECORD, ast.Load()), [ast.Constant(name), _plain(found.slice)], [])
                yield ast.Expr(call)
        told |= {n.value for n in ast.walk(node) if isinstance(n, ast.Attribute) and n.attr in SHAPE}
        self.whole |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and n not in told} & self.served


def _plain(index: ast.expr) -> ast.expr:
    """A subscript as a value: slices become calls."""
    if isinstance(index, ast.Tuple):
        return ast.Tuple([_plain(part) for part in index.elts], ast.Load())
    if isinstance(index, ast.Slice):
        ends = [part or ast.Constant(None) for part in (index.lower, index.upper, index.step)]
        return ast.Call(ast.Name("slice", ast.Load()), ends, [])
    return index


def _in_this_scope(node: ast.AST) -> Iterator[ast.AST]:
    """Walk a node, but not what has names of its own."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, SCOPES):
            yield from _in_this_scope(child)


def _has_scope(node: ast.AST) -> bool:
    return any(isinstance(n, SCOPES | ast.NamedExpr) for n in ast.walk(node))


def _rebinds(tree: ast.FunctionDef, arrays: set[str]) -> bool:
    """Whether the name of an array comes to mean something else."""
    stored = (n for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return any(n.id in arrays for n in stored)
