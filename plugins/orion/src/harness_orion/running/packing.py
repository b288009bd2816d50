"""A space's entries laid out for a kernel: one array for each index and each value, in the order that they run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import HarnessError
from harness_orion.reading.affine import Key
from harness_orion.space import Grid, Space

Positions = NDArray[np.int64]
Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Packed:
    """Entries as columns: ``keys`` one a dimension, ``values`` one for each part of ``val`` (none: ``val`` is None).

    ``positions`` are those in the space; ``block_ends`` where each block ends. ``parts``: ``val`` is a tuple.
    """

    positions: Positions
    keys: tuple[Array, ...]
    values: tuple[Any, ...]
    block_ends: Positions
    parts: bool = False
    _reaches: dict[tuple[int, int, int], tuple[int, int]] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.positions)

    def reach(self, dim: int, start: int, stop: int) -> tuple[int, int]:
        """The least and the greatest index along a dimension in entries [start, stop), of which there is at least one.

        It is looked for once: a pass asks for the same entries as the one before.
        """
        if (dim, start, stop) not in self._reaches:
            indices = self.keys[dim][start:stop]
            self._reaches[dim, start, stop] = int(indices.min()), int(indices.max())
        return self._reaches[dim, start, stop]

    def key(self, n: int) -> Key:
        """The key of the n-th entry in this order."""
        return tuple(int(column[n]) for column in self.keys)

    def entry(self, n: int) -> tuple[Key, Any]:
        """The key and the value of the n-th entry in this order."""
        if self.parts:
            return self.key(n), tuple(column[n] for column in self.values)
        return self.key(n), self.values[0][n] if self.values else None

    @property
    def nbytes(self) -> int:
        """The bytes of its arrays."""
        columns = (self.positions, *self.keys, *self.values)
        return sum(c.nbytes for c in columns if isinstance(c, np.ndarray))


def pack(space: Space, positions: Positions, block_ends: Positions | None = None) -> Packed:
    """Lay out the entries at some positions, in this order; all of them are one block if no ends are given."""
    positions = np.asarray(positions, dtype=np.int64)
    if len(positions) and (positions.min() < 0 or positions.max() >= len(space)):
        raise HarnessError(f"positions run from {positions.min()} to {positions.max()}; the space has {len(space)}")
    ends = np.array([len(positions)]) if block_ends is None else np.asarray(block_ends, dtype=np.int64)
    values = tuple(_taken(column, _place(space, positions)) for column in columns(space))
    return Packed(positions, _keys(space, positions), values, ends, isinstance(space.values, tuple))


def unpack(space: Space, packed: Packed, start: int = 0, stop: int | None = None) -> None:
    """Bring values that the loop has changed in packed entries [start, stop), by default all, back to the space."""
    place = _place(space, packed.positions[start:stop])
    for column, changed in zip(columns(space), packed.values, strict=True):
        if isinstance(column, np.ndarray):
            items, new = _items(column, changed)
            items[place] = new[start:stop]


def repack(space: Space, packed: Packed) -> None:
    """Bring values that have changed in the space since to where the loop reads them."""
    for column, kept in zip(columns(space), packed.values, strict=True):
        kept[:] = _taken(column, _place(space, packed.positions))


def columns(space: Space) -> tuple[Any, ...]:
    """The parts of the space's values."""
    if space.values is None:
        return ()
    return space.values if isinstance(space.values, tuple) else (space.values,)


def _place(space: Space, positions: Positions) -> Any:
    """What selects the entries at some positions from one part of the values."""
    return np.unravel_index(positions, space.shape) if isinstance(space, Grid) else positions


def _items(array: Array, packed: Array) -> tuple[Array, Array]:
    """Both with each row of a packed entry as one item, which NumPy copies faster, if rows lie so in memory."""
    width = packed.nbytes // max(1, len(packed))
    if packed.ndim == 1 or not width or not array.flags.c_contiguous or array.dtype.hasobject:
        return array, packed
    lead = array.shape[: array.ndim - packed.ndim + 1]
    item = np.dtype((np.void, width))
    return array.reshape(*lead, -1).view(item)[..., 0], packed.reshape(len(packed), -1).view(item)[..., 0]


def _taken(column: Any, place: Any) -> Any:
    if isinstance(column, np.ndarray):
        return np.ascontiguousarray(column[place])
    return [column[int(n)] for n in place]


def _keys(space: Space, positions: Positions) -> tuple[Array, ...]:
    if isinstance(space, Grid):
        found = np.unravel_index(positions, space.shape)
        indices = [p + o for p, o in zip(found, space.origin, strict=True)]
    else:
        indices = [i[positions] for i in space.indices]  # type: ignore[attr-defined]
    reach = max(abs(o) + n for o, n in zip(space.origin, space.shape, strict=True))
    narrow = np.int32 if reach < 2**31 else np.int64
    return tuple(np.ascontiguousarray(i, dtype=narrow) for i in indices)
