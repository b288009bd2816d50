"""The order of entries inside a block: tile by tile, so that what a tile touches stays in the cache."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness_orion.analysis.plan import Plan
from harness_orion.reading.affine import Affine
from harness_orion.space import Entries, Space

Positions = NDArray[np.int64]
CACHE = 2048 * 1024


def arranged(plan: Plan, space: Space, blocks: Sequence[Positions], seed: int | None) -> Positions:
    """The positions of all blocks, one block after the other.

    An unordered loop over a sparse space goes through the tiles of a block in random order, which learns as well as
    one without tiles would, and so through each tile: neighbours that share a row would wait for each other.
    ``seed`` None: as the schedule has them.
    """
    extents = tile_extents(plan)
    if seed is not None and not plan.ordered and isinstance(space, Entries) and extents:
        rng = np.random.default_rng(seed)
        blocks = [_tiled(block, space, extents, rng) for block in blocks]
    return np.concatenate(blocks) if blocks else np.empty(0, np.int64)


def tile_extents(plan: Plan) -> dict[int, int]:
    """How many indices of each dimension a tile spans, so that the rows which they select fit the cache together."""
    row_bytes = {d: size for d in range(plan.body.ndim) if (size := _bytes_per_index(plan, d))}
    return {d: max(1, CACHE // len(row_bytes) // size) for d, size in row_bytes.items()} if len(row_bytes) > 1 else {}


def _bytes_per_index(plan: Plan, dim: int) -> int:
    """The bytes of all arrays that one index of a dimension selects."""
    index = Affine.index(dim, plan.body.ndim)
    total = 0
    for name, facts in plan.body.arrays.items():
        axes = {n for a in plan.body.of(name) for n, s in enumerate(a.subscripts) if s == index}
        total += sum(facts.elements // max(1, facts.shape[n]) * facts.itemsize for n in axes)
    return total


def _tiled(block: Positions, space: Entries, extents: dict[int, int], rng: np.random.Generator) -> Positions:
    tile, tiles = np.zeros(len(block), np.int64), 1
    for dim, extent in extents.items():
        places = _places(space.indices[dim][block], space.shape[dim])
        parts = -(-space.shape[dim] // extent)
        tile, tiles = tile * parts + places // extent, tiles * parts
    drawn = rng.permutation(tiles)[tile]
    shuffled = rng.permutation(len(block))
    return block[shuffled[np.argsort(drawn[shuffled], kind="stable")]]


def _places(index: Positions, extent: int) -> Positions:
    """Each index's place among those that occur: a block has only some of them."""
    occurs = np.zeros(extent, np.int64)
    occurs[index] = 1
    return (np.cumsum(occurs) - 1)[index]
