"""Which names of a body have values that come late: from what the loop reads, or from a path that depends on it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType

import numpy as np

SHAPE = ("shape", "size", "ndim", "dtype")
BUILTINS = {"int", "float", "bool", "abs", "len", "range", "enumerate", "zip", "min", "max", "sum", "round"}
IN_PLACE = {"copyto", "put", "place", "putmask", "put_along_axis", "fill_diagonal"}
MODULES = ("numpy", "math")
ARITHMETIC = ast.BinOp | ast.UnaryOp | ast.Compare
Binding = ast.Assign | ast.AugAssign | ast.AnnAssign | ast.NamedExpr | ast.For
Branch = ast.If | ast.While | ast.For


class Lateness:
    """The late names of a body, to which its arrays belong; nothing is known of the order of statements.

    ``modules`` are the names that stand for modules. What may share memory with something changed late is late too.
    """

    def __init__(self, tree: ast.FunctionDef, arrays: Iterable[str], modules: Mapping[str, ModuleType]) -> None:
        self.tree = tree
        self.arrays = frozenset(arrays)
        self.names = set(self.arrays)
        self.modules = modules
        size = -1
        while size != len(self.names):
            size = len(self.names)
            self._grow()

    def has(self, node: ast.AST) -> bool:
        """Whether an expression or statement needs a late value."""
        return any(name.id in self.names for name in values(node))

    def undecided(self) -> Iterator[ast.AST]:
        """All that stands under a condition which comes late."""
        for node in ast.walk(self.tree):
            if isinstance(node, Branch) and self.has(condition(node)):
                yield from (inner for part in (*node.body, *node.orelse) for inner in ast.walk(part))

    def _grow(self) -> None:
        changed: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, Binding) and self.has(_source(node)):
                changed |= self._in_place(node)
                self.names |= targets(node)
            elif isinstance(node, ast.Call) and self.has(node):
                changed |= self._in_place(node)
        for node in self.undecided():
            changed |= self._in_place(node)
            self.names |= targets(node)
        self.names |= self._sharing(changed - self.arrays)

    def _sharing(self, changed: set[str]) -> set[str]:
        """The names whose memory may be that of some names: what these were bound to, and so on."""
        size = -1
        while size != len(changed):
            size = len(changed)
            for node in ast.walk(self.tree):
                if isinstance(node, Binding) and targets(node) & changed:
                    changed |= {n.id for n in _shared(node)} - self.arrays - set(self.modules)
        return changed

    def _in_place(self, node: ast.AST) -> set[str]:
        """The names whose memory a node may change."""
        if isinstance(node, ast.Call):
            return (
                set() if self._is_pure(node) else {n.id for n in values(node) if n is not node.func} - set(self.modules)
            )
        if isinstance(node, ast.AugAssign):
            return targets(node)
        if isinstance(node, Binding):
            return {_root(t) for t in _targets(node) if not isinstance(t, ast.Name)}
        return set()

    def _is_pure(self, call: ast.Call) -> bool:
        """Whether a call is known to change nothing that it is given."""
        if any(k.arg in ("out", None) for k in call.keywords):
            return False
        if isinstance(call.func, ast.Name):
            return call.func.id in BUILTINS
        if not isinstance(call.func, ast.Attribute) or not isinstance(call.func.value, ast.Name):
            return False
        module, name = self.modules.get(call.func.value.id), call.func.attr
        if module is None or module.__name__ not in MODULES or name in IN_PLACE:
            return False
        function = getattr(module, name, None)
        return len(call.args) <= (function.nin if isinstance(function, np.ufunc) else 2)


def condition(node: Branch) -> ast.expr:
    """What decides how often a branch or a loop runs."""
    return node.iter if isinstance(node, ast.For) else node.test


def values(node: ast.AST) -> Iterator[ast.Name]:
    """The names in an expression that stand for values, not only for their shapes."""
    if isinstance(node, ast.Attribute) and node.attr in SHAPE and isinstance(node.value, ast.Name):
        return
    if isinstance(node, ast.Name):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from values(child)


def targets(node: ast.AST) -> set[str]:
    """The names that a node itself binds, or whose elements it does."""
    return {_root(t) for t in _targets(node)} if isinstance(node, Binding) else set()


def _source(node: Binding) -> ast.AST:
    """What the targets of a binding get; a subscript among the targets is part of it."""
    return node.iter if isinstance(node, ast.For) else node


def _shared(node: ast.AST) -> Iterator[ast.Name]:
    """The names in what a binding gives that its target may share memory with: arithmetic makes new values."""
    if isinstance(node, Binding):
        source = node.iter if isinstance(node, ast.For) else node.value
        if source is not None and not isinstance(node, ast.AugAssign):
            yield from _shared(source)
        elif source is not None and _has_list(source):
            yield from values(source)
    elif isinstance(node, ARITHMETIC) and not _has_list(node):
        return
    elif isinstance(node, ast.Name):
        yield node
    else:
        for child in ast.iter_child_nodes(node):
            yield from _shared(child)


def _has_list(node: ast.AST) -> bool:
    """Whether lists take part, whose sum holds what they hold."""
    return any(isinstance(n, ast.List | ast.ListComp) for n in ast.walk(node))


def _targets(node: Binding) -> Iterator[ast.expr]:
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        yield from _leaves(target)


def _leaves(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        for part in target.elts:
            yield from _leaves(part)
    elif isinstance(target, ast.Starred):
        yield from _leaves(target.value)
    else:
        yield target


def _root(target: ast.expr) -> str:
    while isinstance(target, ast.Subscript | ast.Attribute):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""
