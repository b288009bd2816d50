"""What a loop body works on: distributed arrays, buffers of them, and accumulators."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from harness import HarnessError

Apply = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Place:
    """Where an array lies beside others: in ``memory``, (rows, numbers), from one column on; ``seen`` is its part."""

    memory: NDArray[Any]
    column: int
    seen: NDArray[Any]


class DistArray:
    """A dense array that a plan may divide over workers; on one machine it is a NumPy array.

    ``values`` is the array itself, which a loop's body gets; its shape is the array's for good. Compiling a loop may
    move an array that nobody else holds (``place``): ``values`` is a part of a larger one from then on.
    """

    def __init__(self, values: ArrayLike, *, dtype: DTypeLike | None = None) -> None:
        self.values: NDArray[Any] = np.asarray(values, dtype=dtype)
        self.place: Place | None = None
        if self.values.ndim == 0:
            raise HarnessError(
                "a DistArray has at least one dimension; a single number is an Accumulator or an argument"
            )
        if self.values.dtype.kind not in "biufc":
            raise HarnessError(f"a DistArray holds numbers, not {self.values.dtype}")

    @classmethod
    def zeros(cls, shape: tuple[int, ...], dtype: DTypeLike = np.float64) -> DistArray:
        """An array of zeros."""
        return cls(np.zeros(shape, dtype))

    @property
    def shape(self) -> tuple[int, ...]:
        """Its extent along each axis."""
        return self.values.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its elements."""
        return self.values.dtype

    def lie_in(self, memory: NDArray[Any], column: int) -> None:
        """Move to some columns of memory that other arrays lie in too."""
        seen = memory[:, column] if self.values.ndim == 1 else memory[:, column : column + self.shape[1]]
        self.place = Place(memory, column, seen)
        self.settle()

    def settle(self) -> None:
        """Bring values that were given since then to where the array lies."""
        if self.place is not None and self.values is not self.place.seen and self.shape == self.place.seen.shape:
            self.place.seen[...] = self.values
            self.values = self.place.seen

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values, dtype=dtype, copy=copy)

    def __getitem__(self, index: Any) -> Any:
        return self.values[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self.values[index] = value

    def __repr__(self) -> str:
        return f"DistArray(shape={self.shape}, dtype={self.dtype})"


class DistArrayBuffer:
    """A worker's own changes to an array, which reach it later: the dependence that the user lets go of.

    What the body writes and reads is a private copy that starts at ``init``. Flushing calls
    ``apply(key, *current, *updates)`` for each element that was written, ``key`` being its index: the current values
    of the target and of the ``arrays`` beside it, then the updates held here and in the ``buffers`` beside it. It
    returns a new value for each array, or just one for the target; the default adds. ``max_delay`` is the most
    iterations that a change may wait; None: until the end of the partition.
    """

    def __init__(
        self,
        target: DistArray,
        *,
        init: float = 0.0,
        apply: Apply | None = None,
        arrays: Iterable[DistArray] = (),
        buffers: Iterable[DistArrayBuffer] = (),
        max_delay: int | None = None,
    ) -> None:
        if max_delay is not None and max_delay < 1:
            raise HarnessError(f"max_delay counts iterations, from 1; not {max_delay}")
        self.target = target
        self.init = init
        self.apply: Apply = apply if apply is not None else add_update
        self.arrays = (target, *arrays)
        self.buffers = (self, *buffers)
        self.max_delay = max_delay
        for other in (*self.arrays, *(b.target for b in self.buffers)):
            if other.shape != target.shape:
                raise HarnessError(
                    f"arrays that are flushed together have one shape; {other.shape} is not {target.shape}"
                )
        self.values = np.full(target.shape, init, dtype=target.dtype)
        self.written = np.zeros(target.shape, dtype=bool)
        self._noted: set[int] | None = set()

    def __getitem__(self, index: Any) -> Any:
        return self.values[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self.values[index] = value
        self.written[index] = True
        row = index[0] if isinstance(index, tuple) and index else index
        if self._noted is not None and isinstance(row, int | np.integer):
            self._noted.add(int(row) % len(self.values))
        else:
            self._noted = None

    def flush(self, *, noted: bool = False) -> None:
        """Apply every change to the target, and start anew; a buffer flushed beside another starts anew with it.

        ``noted``: nothing but ``buffer[...] = value`` has written here, which notes the rows, so that no others are
        looked at.
        """
        rows = self._rows() if noted else None
        for found in self._changed(rows):
            key = tuple(int(k) for k in found)
            currents = [a.values[key] for a in self.arrays]
            new = self.apply(key, *currents, *(b.values[key] for b in self.buffers))
            for array, value in zip(self.arrays, new if isinstance(new, tuple) else (new,), strict=False):
                array.values[key] = value
        for buffer in self.buffers:
            at = ... if rows is None else rows
            buffer.values[at], buffer.written[at], buffer._noted = buffer.init, False, set()

    def _rows(self) -> NDArray[np.int64] | None:
        """The rows that were written here or in the buffers beside; None: any may have been."""
        noted = [b._noted for b in self.buffers]
        known = [rows for rows in noted if rows is not None]
        return np.array(sorted(set().union(*known)), np.int64) if len(known) == len(noted) else None

    def _changed(self, rows: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """The indices of what was written."""
        if rows is None:
            return np.argwhere(self.written)
        found = np.argwhere(self.written[rows])
        found[:, 0] = rows[found[:, 0]]
        return found


def add_update(_key: tuple[int, ...], current: Any, update: Any) -> Any:
    """Add what a buffer holds to an element: what flushing does if nothing else is asked for."""
    return current + update


class Accumulator:
    """A sum that iterations add to and none reads: ``total += x``, or ``total[k] += x`` over an array."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __iadd__(self, other: Any) -> Accumulator:
        self.value += other
        return self

    def __isub__(self, other: Any) -> Accumulator:
        self.value -= other
        return self

    def __getitem__(self, index: Any) -> Any:
        return self.value[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self.value[index] = value

    def __repr__(self) -> str:
        return f"Accumulator({self.value!r})"
