"""A generated function as a kernel: its arguments laid out flat, and what it raises told in the user's terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import HarnessError
from harness_orion.arrays import Accumulator, DistArrayBuffer
from harness_orion.lowering.types import Type
from harness_orion.running.packing import Packed


@dataclass(frozen=True)
class CompiledRun:
    """Calls ``run(start, stop, at, *keys, *values, *arguments, *tables)``, which notes in ``at`` the entry it is at.

    ``names`` are the arguments'; ``totals`` the types of scalar accumulators; ``where`` the body's place.
    """

    run: Callable[..., None]
    tables: tuple[NDArray[Any], ...]
    names: tuple[str, ...]
    totals: Mapping[str, Type]
    where: str
    with_values: bool = True

    def __call__(self, packed: Packed, start: int, stop: int, arguments: Sequence[Any], /) -> None:
        """Run entries [start, stop) in order."""
        at = np.full(1, start, dtype=np.int64)
        flat, sums = self.flat(arguments)
        values = packed.values if self.with_values else ()
        try:
            self.run(start, stop, at, *packed.keys, *values, *flat, *self.tables)
        except (ArithmeticError, LookupError, ValueError, AssertionError) as error:
            said = f"at key {packed.key(int(at[0]))}: {type(error).__name__}: {error}"
            raise HarnessError(said, where=self.where) from error
        for accumulator, held in sums:
            accumulator.value = held[0].item()

    def flat(self, arguments: Sequence[Any]) -> tuple[list[Any], list[tuple[Accumulator, NDArray[Any]]]]:
        """The arrays of all arguments, and the scalar accumulators with the arrays that stand in for them."""
        found: list[Any] = []
        sums: list[tuple[Accumulator, NDArray[Any]]] = []
        for name, argument in zip(self.names, arguments, strict=True):
            if isinstance(argument, DistArrayBuffer):
                found += [argument.values, argument.written]
            elif isinstance(argument, Accumulator) and not np.ndim(argument.value):
                to = self.totals.get(f"{name}_")
                held = np.array([argument.value], dtype=to.dtype if to else None)
                sums.append((argument, held))
                found.append(held)
            else:
                found.append(argument.value if isinstance(argument, Accumulator) else argument)
        return found, sums
