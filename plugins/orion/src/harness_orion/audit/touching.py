"""What each iteration of a loop really touches, seen by running it on arrays that note every element."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from harness_orion.reading.affine import Key
from harness_orion.space import Space, serial_order

Element = tuple[str, int]


@dataclass
class Touched:
    """The elements that one iteration reads, and those that it writes."""

    reads: set[Element] = field(default_factory=set)
    writes: set[Element] = field(default_factory=set)


class Recorded(NDArrayOperatorsMixin):
    """An array, or a view of one, that notes which of its elements are read and written."""

    def __init__(self, name: str, values: NDArray[Any], numbers: NDArray[Any], log: list[Touched]) -> None:
        self.name, self.values, self.numbers, self.log = name, values, numbers, log

    @classmethod
    def of(cls, name: str, values: NDArray[Any], log: list[Touched]) -> Recorded:
        """All of an array; what is touched goes into the last item of ``log``."""
        return cls(name, values, np.arange(values.size).reshape(values.shape), log)

    def noted(self, numbers: Any, *, written: bool = False) -> None:
        """Note elements by their numbers."""
        found = {(self.name, int(n)) for n in np.ravel(numbers)}
        (self.log[-1].writes if written else self.log[-1].reads).update(found)

    def __getitem__(self, index: Any) -> Any:
        values, numbers = self.values[index], self.numbers[index]
        if np.ndim(values) and np.shares_memory(values, self.values):
            return Recorded(self.name, values, numbers, self.log)
        self.noted(numbers)
        return values

    def __setitem__(self, index: Any, value: Any) -> None:
        self.values[index] = plain(value)
        self.noted(self.numbers[index], written=True)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Its extents."""
        return self.values.shape

    @property
    def T(self) -> Recorded:  # noqa: N802 (NumPy's name)
        """It, transposed."""
        return Recorded(self.name, self.values.T, self.numbers.T, self.log)

    def sum(self) -> Any:
        """The sum of all."""
        return plain(self).sum()

    def fill(self, value: Any) -> None:
        """Write all."""
        self[...] = value

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: tuple[Any, ...] = (), **options: Any) -> Any:
        result = getattr(ufunc, method)(*(plain(i) for i in inputs), **options)
        for target in out:
            target[...] = result
        return out[0] if out else result


def plain(value: Any) -> Any:
    """What is in a recorded array, all of which is then read."""
    if isinstance(value, Recorded):
        value.noted(value.numbers)
        return value.values
    return value


def touched(
    body: Callable[..., Any], space: Space, arrays: Mapping[str, NDArray[Any]], *, ordered: bool
) -> list[tuple[Key, Touched]]:
    """Run a loop serially; its arrays change."""
    log: list[Touched] = []
    recorded = [Recorded.of(name, values, log) for name, values in arrays.items()]
    found = []
    for position in serial_order(space, ordered=ordered):
        key, value = space.entry(int(position))
        log.append(Touched())
        body(key, value, *recorded)
        found.append((key, log[-1]))
    return found
