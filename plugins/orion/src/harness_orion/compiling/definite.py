"""Names that may have no value where they are read: Python would raise, and compiled code would take what is there."""

from __future__ import annotations

import ast
from collections.abc import Sequence


def maybe_unset(function: ast.FunctionDef) -> str | None:
    """A local name that is read where not every way has given it a value; None if there is none."""
    given = {a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)}
    own = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    unset: list[str] = []
    _after(function.body, given, own, unset)
    return unset[0] if unset else None


def _after(nodes: Sequence[ast.stmt], given: set[str], own: set[str], unset: list[str]) -> set[str] | None:
    """The names that have a value after some statements; None where execution does not come out."""
    found: set[str] | None = set(given)
    for node in nodes:
        if found is None:
            return None
        found = _after_one(node, found, own, unset)
    return found


def _after_one(node: ast.stmt, given: set[str], own: set[str], unset: list[str]) -> set[str] | None:
    if isinstance(node, ast.If):
        _read(node.test, given, own, unset)
        ends = [_after(arm, given, own, unset) for arm in (node.body, node.orelse)]
        reached = [e for e in ends if e is not None]
        return set.intersection(*reached) if reached else None
    if isinstance(node, ast.For | ast.While):
        _read(node.iter if isinstance(node, ast.For) else node.test, given, own, unset)
        inside = given | (_stored(node.target) if isinstance(node, ast.For) else set())
        _after(node.body, inside, own, unset)
        _after(node.orelse, given, own, unset)
        return given
    _read(node, given, own, unset)
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id not in given:
        unset.append(node.target.id)
    leaves = isinstance(node, ast.Break | ast.Continue | ast.Return | ast.Raise)
    return None if leaves else given | _stored(node)


def _read(node: ast.AST, given: set[str], own: set[str], unset: list[str]) -> None:
    inner = _targets(node)
    for n in ast.walk(node):
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and n.id in own - given - inner:
            unset.append(n.id)


def _targets(node: ast.AST) -> set[str]:
    """Names that comprehensions inside give a value."""
    return {name for n in ast.walk(node) if isinstance(n, ast.comprehension) for name in _stored(n.target)}


def _stored(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
