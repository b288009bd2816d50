"""Iteration spaces: what a loop runs over. A key is a tuple of integers; several entries may have the same one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness import HarnessError
from harness_orion.arrays import DistArray
from harness_orion.reading.affine import Affine, Key


class Space(Protocol):
    """What the analysis and the runtimes need to know of a space."""

    @property
    def shape(self) -> Key:
        """Its extents."""

    @property
    def origin(self) -> Key:
        """Its least key."""

    @property
    def values(self) -> Any:
        """What its entries hold; None if nothing."""

    def __len__(self) -> int:
        """How many iterations there are."""

    def keys(self) -> NDArray[np.int64]:
        """All keys, (entries, dimensions), as stored."""

    def entry(self, n: int) -> tuple[Key, Any]:
        """The n-th entry's key and value, as stored."""

    def extremes(self, index: Affine) -> tuple[int, int]:
        """The least and greatest value that an index takes on the way."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Every key of a box, last dimension fastest; ``values``, of the box's shape, are what ``val`` is."""

    shape: Key
    origin: Key = ()
    values: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        if not self.shape or min(self.shape) < 1:
            raise HarnessError(f"an iteration space has at least one dimension, none of them empty; not {self.shape}")
        object.__setattr__(self, "origin", self.origin or (0,) * len(self.shape))
        if len(self.origin) != len(self.shape):
            raise HarnessError(f"origin {self.origin} and shape {self.shape} differ in their number of dimensions")
        if self.values is not None:
            object.__setattr__(self, "values", np.asarray(self.values))
        if self.values is not None and self.values.shape[: len(self.shape)] != self.shape:
            raise HarnessError(f"values have the shape {self.values.shape}; the space needs {self.shape}")

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    def keys(self) -> NDArray[np.int64]:
        """All keys, (entries, dimensions), in lexicographic order."""
        places = np.indices(self.shape, dtype=np.int64).reshape(len(self.shape), -1)
        return np.asarray(places.T + np.array(self.origin), dtype=np.int64)

    def entry(self, n: int) -> tuple[Key, Any]:
        """The n-th key and its value."""
        place = tuple(int(p) for p in np.unravel_index(n, self.shape))
        key = tuple(o + p for o, p in zip(self.origin, place, strict=True))
        return key, None if self.values is None else self.values[place]

    def extremes(self, index: Affine) -> tuple[int, int]:
        """The least and greatest value that an index takes on the way."""
        return index.bounds(self.origin, tuple(o + n - 1 for o, n in zip(self.origin, self.shape, strict=True)))


@dataclass(frozen=True, eq=False)
class Entries:
    """The non-zeros of a sparse array: ``indices`` (one integer array a dimension), and their ``values``.

    Values are an array or a list with an item an entry, or a tuple of them: then ``val`` is a tuple. The serial order
    is that of storage for unordered loops, and lexicographic by key (equal keys as stored) for ordered ones.
    """

    indices: tuple[NDArray[np.int64], ...]
    values: Any
    shape: Key

    @classmethod
    def of(cls, indices: Sequence[ArrayLike], values: Any, *, shape: Key | None = None) -> Entries:
        """Check and keep a sparse array's entries; its shape is what they need, if not given."""
        found = tuple(np.asarray(i, dtype=np.int64) for i in indices)
        if not found or any(i.ndim != 1 or len(i) != len(found[0]) for i in found):
            raise HarnessError("indices are one-dimensional arrays of one length, one for each dimension")
        if not len(found[0]):
            raise HarnessError("an iteration space without entries has nothing to run")
        needed = tuple(int(i.max()) + 1 for i in found)
        extent = needed if shape is None else tuple(shape)
        if len(extent) != len(found) or any(n > e for n, e in zip(needed, extent, strict=True)):
            raise HarnessError(f"indices reach {tuple(n - 1 for n in needed)}: beyond the shape {extent}")
        if any(int(i.min()) < 0 for i in found):
            raise HarnessError("indices are counted from 0; some are negative")
        values = tuple(map(_column, values)) if isinstance(values, tuple) else _column(values)
        for column in values if isinstance(values, tuple) else (values,):
            if len(column) != len(found[0]):
                raise HarnessError(f"there are {len(found[0])} indices and {len(column)} values")
        return cls(found, values, extent)

    @property
    def origin(self) -> Key:
        """Its least key that could be."""
        return (0,) * len(self.shape)

    def __len__(self) -> int:
        return len(self.indices[0])

    def keys(self) -> NDArray[np.int64]:
        """All keys, (entries, dimensions), as stored."""
        return np.stack(self.indices, axis=1)

    def entry(self, n: int) -> tuple[Key, Any]:
        """The n-th stored entry."""
        value = tuple(column[n] for column in self.values) if isinstance(self.values, tuple) else self.values[n]
        return tuple(int(i[n]) for i in self.indices), value

    def extremes(self, index: Affine) -> tuple[int, int]:
        """The least and greatest value that an index takes on the way."""
        found = sum(c * i for c, i in zip(index.coefficients, self.indices, strict=True)) + index.constant
        return int(np.min(found)), int(np.max(found))


def _column(values: Any) -> Any:
    return values.values if isinstance(values, DistArray) else values


def serial_order(space: Space, *, ordered: bool) -> NDArray[np.int64]:
    """The positions of a space's entries in the order of the serial loop.

    Ordered: by key, equal keys as stored; unordered: as stored.
    """
    if not ordered:
        return np.arange(len(space))
    return np.lexsort(space.keys().T[::-1]).astype(np.int64)


def as_space(thing: Any) -> Space:
    """Read a space, a DistArray, an array, or a shape."""
    if isinstance(thing, Grid | Entries):
        return thing
    if isinstance(thing, DistArray):
        return Grid(thing.shape, values=thing.values)
    if isinstance(thing, np.ndarray):
        return Grid(thing.shape, values=thing)
    if isinstance(thing, int):
        return Grid((thing,))
    if isinstance(thing, tuple) and all(isinstance(n, int) for n in thing):
        return Grid(thing)
    raise HarnessError(
        f"no iteration space: {type(thing).__name__}; give a shape, a DistArray, or Entries.of(indices, values)"
    )
