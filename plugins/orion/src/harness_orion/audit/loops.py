"""Random loops, as source text: affine and other subscripts, views, aliases, branches, inner loops, helpers."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness_orion.space import Grid

Pick = Callable[[Sequence[Any]], Any]
NUMBERS = count()
INDICES = "ijk"
HELPERS = """
def bump(X, n, amount):
    row = X[n]
    row += amount
    return X[n, 0]

def first(X, n):
    return X[n, 0]
"""


# A line each between semicolons; {e} is an element or a row, {s} and {t} subscripts, {v} a value, {i} and {j} indices.
FORMS = [
    "{e} = {v}",
    "{e} += {v}",
    "{A}[{s}][{t}] = {v}",
    "w = {A}[{s}]; w += {v}",
    "w = {A}[{s}, :]; w[{t}] = {v}",
    "w = {A}.T[{s}]; w[{t}] -= {v}",
    "np.add({A}[{s}], {v}, out={A}[{t}])",
    "{A}[{s}].fill({v})",
    "bump({A}, {s}, {v})",
    "X = {A}; X[{s}, {t}] += {v}",
    "n = {i}; if {j} > 1:;     n = {j}; {A}[n, {t}] = {v}",
    "n = {i} + 1; {A}[n, {t}] = {v}; n = 0; {A}[n, {s}] += 1",
    "if {i} > 1:;     {A}[{s}, {t}] = {v}; else:;     {A}[{t}, {s}] += {v}",
    "for n in range(2):;     {A}[{s}, n] += {v}",
    "for n in range(2):;     if n < {i}:;         continue;     {A}[n, {t}] = {v}",
    "n = {i}; for _ in range(2):;     {A}[n, {t}] += {v};     n = {j}",
    "w = {A}[1:]; w[{i}, {t}] = {v}",
    "x = {A}[{s}, {t}]; x += 1; {B}[{t}, {s}] = x",
]


@dataclass
class RandomLoop:
    """A loop over two arrays A and B, and over P, which holds subscripts."""

    text: str
    function: FunctionType
    space: Grid
    ordered: bool
    shape: tuple[int, int]

    def arrays(self, seed: int) -> dict[str, NDArray[Any]]:
        """Small integers, so that any order of additions gives the same sum."""
        rng = np.random.default_rng(seed)
        made: dict[str, NDArray[Any]] = {name: rng.integers(0, 9, self.shape).astype(float) for name in "AB"}
        return made | {"P": rng.integers(0, min(self.shape), 8)}


def random_loop(pick: Pick) -> RandomLoop:
    """Make a loop; ``pick`` chooses one of several things each time."""
    ndim = pick([1, 2, 2, 2, 3])
    shape = tuple(pick(range(2, 5 if ndim < 3 else 3)) for _ in range(ndim))
    origin = tuple(pick([0, 1]) for _ in range(ndim))
    writer = _Writer(pick, ndim)
    lines = [line for _ in range(pick([1, 2, 3])) for line in writer.statement()]
    head = ", ".join(INDICES[:ndim]) + ("," if ndim == 1 else "")
    text = HELPERS + "\n\ndef body(key, val, A, B, P):\n" + f"    {head} = key\n" + "".join(f"    {x}\n" for x in lines)
    high = [o + n - 1 for o, n in zip(origin, shape, strict=True)]
    reach = 2 * max(high) + max(high) + 2 if writer.wide else max(high) + 2
    space = Grid(shape, origin, np.arange(float(np.prod(shape))).reshape(shape))
    # Tight shapes make negative subscripts come round to elements in use.
    extents = (pick([reach - 1, reach, reach + 1]), pick([reach - 1, reach]))
    return RandomLoop(text, compiled(text), space, pick([False, True]), extents)


def compiled(text: str, name: str = "body") -> FunctionType:
    """A function whose source can be found, as if it stood in a file."""
    file = f"<loop {next(NUMBERS)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names: dict[str, object] = {"np": np, "STEP": 2}
    exec(compile(text, file, "exec"), names)  # noqa: S102 (text made here)
    found = names[name]
    assert isinstance(found, FunctionType)
    return found


class _Writer:
    def __init__(self, pick: Pick, ndim: int) -> None:
        self.pick, self.ndim, self.wide = pick, ndim, False

    def index(self) -> str:
        return str(self.pick(INDICES[: self.ndim]))

    def subscript(self) -> str:
        i, j = self.index(), self.index()
        plain = [i] * 4
        shifted = [f"{i} + 1", f"{i} - 1", f"1 - {i}", f"2 * {i}", f"{i} + {j}", "0", "-1", f"P[{i}]", "STEP - 1"]
        found = str(self.pick([*plain, *shifted]))
        self.wide = self.wide or "*" in found or f"+ {j}" in found
        return found

    def array(self) -> str:
        return str(self.pick("AAB"))

    def element(self) -> str:
        last = ":" if self.pick([False, False, False, True]) else self.subscript()
        return f"{self.array()}[{self.subscript()}, {last}]"

    def number(self) -> str:
        i = self.index()
        elements = [
            f"{self.array()}[{self.subscript()}, {self.subscript()}]",
            f"{self.array()}[{self.subscript()}].sum()",
        ]
        return str(self.pick(["1", "val", i, *elements, f"first({self.array()}, {i})"]))

    def statement(self) -> list[str]:
        form = str(self.pick(FORMS))
        made = {
            "{e}": self.element,
            "{s}": self.subscript,
            "{t}": self.subscript,
            "{A}": self.array,
            "{B}": self.array,
            "{v}": self.number,
            "{i}": self.index,
            "{j}": self.index,
        }
        for name, make in made.items():
            if name in form:
                form = form.replace(name, make())
        return form.split("; ")
