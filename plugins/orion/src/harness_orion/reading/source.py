"""A function's syntax tree, with positions in the user's own file, and refusals that point there."""

from __future__ import annotations

import ast
import linecache
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import FunctionType
from typing import NoReturn

from harness import HarnessError


@dataclass(frozen=True, order=True)
class Place:
    """Where something stands: a file, and line and column counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    @property
    def short(self) -> str:
        """Without the folder."""
        return f"{Path(self.file).name}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Source:
    """A function and the tree of its definition."""

    function: FunctionType
    file: str
    tree: ast.FunctionDef

    @classmethod
    def of(cls, function: FunctionType) -> Source:
        """Find a function's definition; raise HarnessError where there is none, or the file has changed."""
        code = function.__code__
        linecache.checkcache(code.co_filename)
        text = "".join(linecache.getlines(code.co_filename))
        where = f"{code.co_filename}:{code.co_firstlineno}"
        if not text:
            raise HarnessError(f"no source of {function.__name__}: write the loop body in a file", where=where)
        for tree in _functions(text, code.co_filename):
            first = min([tree.lineno, *(d.lineno for d in tree.decorator_list)])
            if tree.name == code.co_name and first == code.co_firstlineno:
                return cls(function, code.co_filename, tree)
        said = (
            "a lambda is no loop body" if code.co_name == "<lambda>" else "the file has changed since it was imported"
        )
        raise HarnessError(f"{said}; write it with def" if "lambda" in said else said, where=where)

    def place(self, node: ast.AST) -> Place:
        """Where a node stands."""
        return Place(self.file, getattr(node, "lineno", 0), getattr(node, "col_offset", -1) + 1)

    def refuse(self, node: ast.AST, what: str, instead: str) -> NoReturn:
        """Say what is not supported, where, and what to write in its place."""
        raise HarnessError(f"{what}; {instead}", where=str(self.place(node)))


@lru_cache(maxsize=16)
def _functions(text: str, file: str) -> tuple[ast.FunctionDef, ...]:
    return tuple(node for node in ast.walk(ast.parse(text, file)) if isinstance(node, ast.FunctionDef))
