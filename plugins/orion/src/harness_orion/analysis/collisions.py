"""Two concrete iterations that touch one element: what convinces a reader that a loop is serial."""

from __future__ import annotations

from harness_orion.analysis.dependences import Conflict, box_of, extents_of, joined
from harness_orion.analysis.plan import Collision
from harness_orion.reading.accesses import Access, Body
from harness_orion.reading.affine import ANY, UNKNOWN, Affine, Key, Subscript
from harness_orion.space import Space


def find_collision(conflict: Conflict | None, body: Body, space: Space) -> Collision | None:
    """The first two iterations that a dependence joins; a vector of the paper's rules may join none."""
    if conflict is None:
        return None
    found = conflict.dependence
    a, b = found.first, found.second
    box = box_of(space)
    distances = joined(a, b, body, box)
    if distances is None:
        return None
    first, second = distances.collision()
    shape = extents_of(a.array, body, box)
    element = _element(a, b, first, second, shape) or _element(b, a, first, second, shape) or ""
    certain = not (a.guarded or b.guarded) and all(map(_must_meet, a.subscripts, b.subscripts))
    return Collision(found, first, second, f"{a.array}[{element}]", certain)


def _element(a: Access, b: Access, x: Key, y: Key, shape: Key) -> str | None:
    """The element that ``a`` in iteration ``x`` and ``b`` in ``y`` have in common; None if they have none."""
    parts = []
    for p, q, extent in zip(a.subscripts, b.subscripts, shape, strict=True):
        known = {s.at(k) % extent for s, k in ((p, x), (q, y)) if isinstance(s, Affine)}
        if len(known) > 1:
            return None
        parts.append(str(known.pop()) if known else ":" if p is q is ANY else "?")
    return ", ".join(parts)


def _must_meet(x: Subscript, y: Subscript) -> bool:
    """Whether two subscripts that may be equal are: one covers the axis, or both follow from the keys."""
    return ANY in (x, y) or UNKNOWN not in (x, y)
