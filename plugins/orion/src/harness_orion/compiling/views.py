"""Parts of arrays seen under global indices, and each worker's own copies of what it may not share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import HarnessError
from harness_orion.analysis.plan import Plan, Where
from harness_orion.arrays import Accumulator, DistArray, DistArrayBuffer
from harness_orion.running.packing import Packed


class _Shifted:
    """Memory that NumPy is to read as an array."""

    def __init__(self, part: NDArray[Any], offset: Sequence[int], shape: Sequence[int]) -> None:
        self.part = part
        before = sum(o * s for o, s in zip(offset, part.strides, strict=True))
        self.__array_interface__ = {
            **part.__array_interface__,
            "data": (part.ctypes.data - before, not part.flags.writeable),
            "strides": part.strides,
            "shape": tuple(shape),
        }


def seen_from(part: NDArray[Any], offset: Sequence[int], shape: Sequence[int]) -> Any:
    """The whole array of which only a part is here: an index of the whole finds the same element in the part.

    Nothing may touch it outside of that part; a plan's divided arrays are only subscripted by an index that is in it.
    """
    return np.asarray(_Shifted(part, offset, shape))


@dataclass(frozen=True)
class Facts:
    """What a kernel was compiled for: an array's shape and type, and the dimension of the loop that an axis follows."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None
    followed: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, name: str, thing: Any, plan: Plan) -> Facts:
        """Note them."""
        if not isinstance(thing, DistArray):
            return cls(name, (), None)
        place = next((p for p in plan.placements if p.array == name and p.axis is not None), None)
        dim = None if place is None else plan.space_dim if place.where is Where.SPACE else plan.time_dim
        followed = () if place is None or place.axis is None or dim is None else ((place.axis, dim),)
        return cls(name, thing.shape, thing.dtype, followed)

    def whole(self, given: Any, offset: Sequence[int], packed: Packed, start: int, stop: int) -> Any:
        """The array as the kernel takes it; raise HarnessError for another than it was compiled for.

        A part must hold all that these entries touch.
        """
        if self.dtype is None:
            return given
        if not isinstance(given, np.ndarray) or given.dtype != self.dtype or given.ndim != len(self.shape):
            raise HarnessError(f"{self.name} is not the {len(self.shape)}-dimensional array of {self.dtype} it was")
        if given.shape == self.shape and not any(offset):
            return given
        for axis, (first, here, extent) in enumerate(zip(offset, given.shape, self.shape, strict=False)):
            low, high = self._touched(axis, packed, start, stop, extent)
            if low < first or high >= first + here:
                said = f"{self.name} has {first} to {first + here - 1} along axis {axis}"
                raise HarnessError(f"{said}, and these entries touch {low} to {high}")
        if len(offset) != given.ndim:
            raise HarnessError(f"{self.name} has the shape {given.shape}, and was compiled for {self.shape}")
        return seen_from(given, offset, self.shape)

    def _touched(self, axis: int, packed: Packed, start: int, stop: int, extent: int) -> tuple[int, int]:
        dim = dict(self.followed).get(axis)
        if dim is None or extent == 0:
            return 0, extent - 1
        return packed.reach(dim, start, stop) if start < stop else (extent, -1)


def own(arguments: Sequence[Any]) -> list[Any]:
    """The same arguments for one more worker: arrays shared, buffers and accumulators as they begin."""
    copies: dict[int, Any] = {}
    for argument in arguments:
        if isinstance(argument, Accumulator):
            copies[id(argument)] = Accumulator(np.zeros_like(argument.value)[()])
        elif isinstance(argument, DistArrayBuffer):
            copies[id(argument)] = _fresh(argument, copies)
    return [copies.get(id(argument), argument) for argument in arguments]


def _fresh(buffer: DistArrayBuffer, copies: dict[int, Any]) -> DistArrayBuffer:
    """A buffer of one's own; those flushed beside it are the own ones too."""
    if id(buffer) in copies:
        found: DistArrayBuffer = copies[id(buffer)]
        return found
    copy = DistArrayBuffer(
        buffer.target, init=buffer.init, apply=buffer.apply, arrays=buffer.arrays[1:], max_delay=buffer.max_delay
    )
    copies[id(buffer)] = copy
    copy.buffers = (copy, *(_fresh(other, copies) for other in buffer.buffers[1:]))
    return copy


def reduce(accumulators: Sequence[Any], owned: Sequence[Sequence[Any]]) -> None:
    """Add what each worker has accumulated, in the order of the workers."""
    for n, argument in enumerate(accumulators):
        if isinstance(argument, Accumulator):
            for arguments in owned:
                held = arguments[n].value
                argument.value = argument.value + held
                arguments[n].value = held * 0


def refuse_nan(arguments: Mapping[str, Any], *, after: str) -> None:
    """Raise HarnessError for the first NaN in an array."""
    for name, argument in arguments.items():
        values = argument.values if isinstance(argument, DistArray) else np.empty(0)
        # A sum is NaN if one element is, and is quick; infinite ones of both signs make it so too.
        if values.dtype.kind in "fc" and np.isnan(values.sum()):
            for place in np.argwhere(np.isnan(values))[:1]:
                raise HarnessError(f"{name}[{', '.join(map(str, place))}] is NaN {after}")
