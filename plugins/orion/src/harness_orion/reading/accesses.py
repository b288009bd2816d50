"""What a loop's body does to arrays: one record for each reference in its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from harness_orion.reading.affine import Affine, Key, Loose, Subscript
from harness_orion.reading.source import Place

Mode = Literal["read", "write"]


@dataclass(frozen=True)
class ArrayFacts:
    """What the analysis needs to know of an array."""

    shape: Key
    itemsize: int = 8
    boolean: bool = False

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count


class Role(Enum):
    """What an argument of a body is, other than an array."""

    ACCUMULATOR = "accumulator"
    NUMBER = "number"
    TRUTH = "truth value"


@dataclass(frozen=True)
class BufferOf:
    """An argument that buffers changes to arrays: its target, and those flushed beside it."""

    arrays: tuple[str, ...]

    @property
    def target(self) -> str:
        """The array that its subscripts are of."""
        return self.arrays[0]


Argument = ArrayFacts | BufferOf | Role


@dataclass(frozen=True)
class Access:
    """One reference: where, to which array, with which subscripts; both arms of branches and all of inner loops count.

    ``guarded``: it does not run in every iteration. ``repeated``: it may run several times in one.
    """

    array: str
    mode: Mode
    subscripts: tuple[Subscript, ...]
    place: Place
    text: str
    guarded: bool = False
    repeated: bool = False

    def subscripts_text(self, names: tuple[str, ...]) -> str:
        """The subscripts as the analysis reads them."""
        return "[" + ", ".join(s.value if isinstance(s, Loose) else s.text(names) for s in self.subscripts) + "]"

    @property
    def is_affine(self) -> bool:
        """Whether every subscript follows from the key."""
        return all(isinstance(s, Affine) for s in self.subscripts)


@dataclass(frozen=True)
class Body:
    """A loop's body, read: its arguments and all of its accesses.

    ``buffers`` maps a buffer to the arrays that it changes; ``index_names``: what the body calls the indices.
    """

    name: str
    place: Place
    ndim: int
    arguments: Mapping[str, Argument]
    accesses: tuple[Access, ...]
    buffers: Mapping[str, tuple[str, ...]]
    accumulators: tuple[str, ...]
    captured: tuple[str, ...]
    index_names: tuple[str, ...]

    @property
    def arrays(self) -> dict[str, ArrayFacts]:
        """The arrays among the arguments."""
        return {n: a for n, a in self.arguments.items() if isinstance(a, ArrayFacts)}

    def of(self, array: str) -> list[Access]:
        """The accesses to one array."""
        return [a for a in self.accesses if a.array == array]

    def is_written(self, array: str) -> bool:
        """Whether the body writes an array, other than through a buffer."""
        return any(a.mode == "write" for a in self.of(array))
