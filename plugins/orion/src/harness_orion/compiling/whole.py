"""A body as it stands, with its helpers, as a text that Numba compiles: what is tried where lowering does not reach."""

from __future__ import annotations

import ast
import builtins
import copy
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import numpy as np

from harness_orion.arrays import Accumulator, DistArrayBuffer
from harness_orion.compiling.definite import maybe_unset
from harness_orion.lowering.emit import indented
from harness_orion.lowering.expressions import PLAIN
from harness_orion.lowering.types import Unsupported
from harness_orion.reading.frame import captured_object
from harness_orion.reading.source import Source

DECORATOR = "@numba.njit(nogil=True, cache=True, boundscheck=True)"
MODULES = (np, math)


def array_text(
    function: FunctionType, ndim: int, columns: int, arguments: Mapping[str, Any], live: str | None, *, parts: bool
) -> str:
    """The text of ``run(start, stop, at, *keys, *values, *arguments)``, which calls the body; or Unsupported."""
    for name, thing in arguments.items():
        if isinstance(thing, DistArrayBuffer) or (isinstance(thing, Accumulator) and not np.ndim(thing.value)):
            raise Unsupported(f"{name} is a buffer or an accumulator")
    names = _Names()
    names.add(function)
    keys = [f"key{d}" for d in range(ndim)]
    values = [f"value{n}" for n in range(columns)]
    at_key = "(" + "".join(f"np.int64({k}[e]), " for k in keys).rstrip() + ")"
    val = ", ".join(f"{v}[e]" for v in values) or "None"
    val = f"{live}_[{at_key}]" if live is not None else f"({val},)" if parts else val
    passed = [f"{name}_" for name in arguments]
    call = f"{function.__name__}({', '.join([at_key, val, *passed])})"
    turn = ["for e in range(start, stop):", *indented(["at[0] = e", call])]
    run = [f"def run({', '.join(['start', 'stop', 'at', *keys, *values, *passed])}):", *indented(turn)]
    return "\n".join([*names.constants(), "", *names.functions(), DECORATOR, *run]) + "\n"


@dataclass
class _Names:
    """All that the body's names stand for, and those of its helpers; one name is one thing."""

    known: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def add(self, function: FunctionType) -> None:
        self._know(function.__name__, function)
        tree = copy.deepcopy(Source.of(function).tree)
        tree.decorator_list, tree.returns = [], None
        if unset := maybe_unset(tree):
            raise Unsupported(f"{unset} may have no value where it is read")
        for parameter in (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs):
            parameter.annotation = None
        for default in inspect.signature(function).parameters.values():
            if default.default is not default.empty and not isinstance(default.default, PLAIN):
                raise Unsupported(f"the default of {function.__name__}'s {default.name}")
        own = set(function.__code__.co_varnames) - set(function.__code__.co_freevars)
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in own:
                self._look(function, node.id)
        # Helpers come before what calls them.
        self.texts[function.__name__] = ast.unparse(tree)

    def _look(self, function: FunctionType, name: str) -> None:
        found = captured_object(function, name)
        if found is None:
            raise Unsupported(f"{name} is not known")
        thing = getattr(found.thing, "py_func", found.thing)
        if isinstance(thing, FunctionType) and self.known.get(name) is not thing:
            if thing.__name__ != name:
                raise Unsupported(f"{name} is another name for {thing.__name__}")
            self.add(thing)
        self._know(name, thing)

    def _know(self, name: str, thing: Any) -> None:
        if self.known.setdefault(name, thing) is not thing:
            raise Unsupported(f"{name} is one thing here and another in a helper")

    def constants(self) -> list[str]:
        return [line for name, thing in self.known.items() for line in _constant(name, thing)]

    def functions(self) -> list[str]:
        return [line for text in self.texts.values() for line in ("", DECORATOR, *text.splitlines(), "")]


def _constant(name: str, thing: Any) -> list[str]:
    if isinstance(thing, FunctionType) or getattr(builtins, name, None) is thing:
        return []
    if any(thing is module for module in MODULES):
        return [] if name in ("np", "math") else [f"{name} = {'np' if thing is np else 'math'}"]
    if isinstance(thing, np.generic):
        return [f"{name} = np.{thing.dtype.name}({thing})"]
    if isinstance(thing, PLAIN):
        return [f"{name} = {thing!r}"]
    for module, text in ((np, "np"), (math, "math")):
        called = getattr(thing, "__name__", "")
        if vars(module).get(called) is thing:
            return [f"{name} = {text}.{called}"]
    raise Unsupported(f"{name}, a {type(thing).__name__} from outside")
