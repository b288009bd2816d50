"""Where arrays go, given the dimensions that a loop is divided along, and how many elements must then travel."""

from __future__ import annotations

from harness_orion.analysis.plan import Placement, Where
from harness_orion.reading.accesses import Body
from harness_orion.reading.affine import Affine
from harness_orion.space import Space

MOVING = (Where.TIME, Where.SERVER, Where.REPLICATED)


def placements(body: Body, space: Space, space_dim: int | None, time_dim: int | None) -> tuple[Placement, ...]:
    """Place each array that the loop uses."""
    targets = {array for arrays in body.buffers.values() for array in arrays}
    used = [n for n in body.arrays if body.of(n) or n in targets]
    return tuple(_place(n, body, space, space_dim, time_dim) for n in used)


def _place(array: str, body: Body, space: Space, space_dim: int | None, time_dim: int | None) -> Placement:
    facts = body.arrays[array]
    buffers = tuple(name for name, arrays in body.buffers.items() if array in arrays)
    if not buffers:
        for dim, where in ((space_dim, Where.SPACE), (time_dim, Where.TIME)):
            axis = None if dim is None else aligned_axis(array, dim, body, space)
            if axis is not None:
                return Placement(array, where, facts.elements, facts.itemsize, axis)
    where = Where.SERVER if buffers or body.is_written(array) else Where.REPLICATED
    return Placement(array, where, facts.elements, facts.itemsize, None, buffers)


def aligned_axis(array: str, dim: int, body: Body, space: Space) -> int | None:
    """The axis of an array that every access subscripts with one loop index, just that.

    It may be longer than the loop: what no iteration touches goes with the last part.
    """
    index = Affine.index(dim, body.ndim)
    for axis, extent in enumerate(body.arrays[array].shape):
        fits = extent >= space.shape[dim] and space.origin[dim] == 0
        if fits and all(a.subscripts[axis] == index for a in body.of(array)):
            return axis
    return None


def communicated(places: tuple[Placement, ...]) -> int:
    """How many elements do not stay where they are during the loop."""
    return sum(p.elements for p in places if p.where in MOVING)


def kept_local(body: Body) -> tuple[Placement, ...]:
    """A serial loop's arrays: all beside its one worker."""
    return tuple(
        Placement(n, Where.LOCAL, facts.elements, facts.itemsize, None, _buffers(n, body))
        for n, facts in body.arrays.items()
    )


def _buffers(array: str, body: Body) -> tuple[str, ...]:
    return tuple(name for name, arrays in body.buffers.items() if array in arrays)
