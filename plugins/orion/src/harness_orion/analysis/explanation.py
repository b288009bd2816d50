"""A plan in words, as a race detector would tell it: what was found, where, and two iterations that collide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness_orion.analysis import vectors
from harness_orion.analysis.dependences import Dependence
from harness_orion.analysis.plan import Placement, Plan, RuledOut, Where
from harness_orion.analysis.traffic import moves
from harness_orion.reading.accesses import Access
from harness_orion.reading.affine import UNKNOWN
from harness_orion.reading.values import SPACE

WORDS = {
    Where.SPACE: "divided along axis {axis} with {space}; stays where it is",
    Where.TIME: "divided along axis {axis} with {time}; its blocks rotate",
    Where.SERVER: "served: fetched and sent back, since not every access is aligned with a divided dimension",
    Where.REPLICATED: "only read: a copy on each worker",
    Where.LOCAL: "beside the one worker",
}


def explain(plan: Plan, *, workers: int = 2) -> str:
    """Tell what analysis found and what it decided, for reading."""
    parts = [
        ("accesses", _accesses(plan)),
        (f"dependence vectors over ({', '.join(plan.body.index_names)})", _dependences(plan)),
        ("ruled out", [f"{_strategy_name(r, plan)}: {_why(r)}" for r in plan.ruled_out]),
        ("collision", _collision(plan)),
        ("arrays", [f"{p.array}: {_place(p, plan)}" for p in plan.placements]),
        (f"sent, with {workers} workers", [str(m) for m in moves(plan, workers)] or ["nothing"]),
    ]
    lines = [_title(plan), f"strategy: {summary(plan)}"]
    for title, found in parts:
        rows = list(found)
        if rows:
            lines += ["", title, *(f"  {row}" for row in rows)]
    return "\n".join(lines)


def _title(plan: Plan) -> str:
    extent = " x ".join(str(n) for n in plan.shape)
    kind = "ordered" if plan.ordered else "unordered"
    return f"{plan.body.name} ({plan.body.place}): {kind} loop over {extent}, {plan.mode} analysis"


def summary(plan: Plan) -> str:
    """The strategy in a sentence."""
    names = plan.body.index_names
    space = names[plan.space_dim] if plan.space_dim is not None else ""
    time = names[plan.time_dim] if plan.time_dim is not None else ""
    if plan.strategy == "unimodular":
        step = _sum(plan.transform[0], names)
        return f"unimodular: iterations of equal {step} at once, a barrier between two values; T = {_matrix(plan)}"
    return {
        "independent": f"independent: no dependence between iterations; divided along {space}",
        "1d": f"1d: divided along {space}; dependent iterations never differ in it",
        "2d": f"2d: divided along {space} (space) and {time} (time); "
        + ("a wavefront of blocks" if plan.ordered else "blocks that share neither run at once"),
        "serial": "serial: no division keeps every dependence",
    }[plan.strategy]


def _matrix(plan: Plan) -> str:
    return str([list(row) for row in plan.transform])


def _sum(row: tuple[int, ...], names: tuple[str, ...]) -> str:
    from harness_orion.reading.affine import Affine

    return Affine(row).text(names)


def _accesses(plan: Plan) -> Iterator[str]:
    for access in plan.body.accesses:
        if access.array != SPACE or access.mode == "write":
            yield f"{access.mode:5} {reference(access, plan)}{' (not each time)' if access.guarded else ''}"
    for name, arrays in plan.body.buffers.items():
        yield f"buffer {name} changes {', '.join(arrays)} late: its references make no dependence"
    for name in plan.body.accumulators:
        yield f"accumulator {name}: a copy for each worker, combined at the end"


def reference(access: Access, plan: Plan) -> str:
    """A reference as written, where, and as the analysis reads it where that says less."""
    read = access.array + access.subscripts_text(plan.body.index_names)
    known = "" if read == access.text else f" as {read}"
    return f"{access.text}{known} at {access.place.short}"


def _dependences(plan: Plan) -> Iterator[str]:
    for found in plan.dependences:
        yield f"{vectors.text(found.vector)}  {_pair(found)}"


def _pair(found: Dependence) -> str:
    a, b = found.first, found.second
    if a == b:
        return f"{a.mode} {a.text} ({a.place.short}) with itself"
    return f"{a.mode} {a.text} ({a.place.short}) and {b.mode} {b.text} ({b.place.short})"


def _strategy_name(ruled: RuledOut, plan: Plan) -> str:
    names = [plan.body.index_names[d] for d in ruled.dims]
    return f"{ruled.strategy} on {', '.join(names)}" if names else ruled.strategy


def _why(ruled: RuledOut) -> str:
    if ruled.dependence is None:
        return ruled.reason
    return f"{ruled.reason}: {vectors.text(ruled.dependence.vector)} of {_pair(ruled.dependence)}"


def _collision(plan: Plan) -> Iterator[str]:
    found = plan.collision
    if found is not None:
        must = "touch" if found.certain else "may touch"
        yield f"iterations {found.first} and {found.second} {must} {found.element}:"
        yield _pair(found.dependence)
    if plan.strategy == "serial":
        yield advice(plan)


def advice(plan: Plan) -> str:
    """What the user can do about a serial loop."""
    found = plan.collision.dependence if plan.collision else plan.dependences[0]
    unknown = next((a for a in (found.first, found.second) if UNKNOWN in a.subscripts), None)
    buffered = "write through a DistArrayBuffer to run data-parallel, which lets this dependence go"
    if unknown is not None:
        return f"{unknown.text} has a subscript that does not follow from the loop's indices; {buffered}"
    if plan.ordered:
        return f"if any order of the iterations will do, leave out ordered=True; else, {buffered}"
    return buffered


def _place(place: Placement, plan: Plan) -> str:
    names = dict(enumerate(plan.body.index_names))
    space, time = names.get(plan.space_dim or 0), names.get(plan.time_dim or 0)
    shape = " x ".join(str(n) for n in plan.body.arrays[place.array].shape)
    if place.buffers:
        return f"{shape}, served; {', '.join(place.buffers)} changes it late"
    return f"{shape}, " + WORDS[place.where].format(axis=place.axis, space=space, time=time)


def to_json(plan: Plan, *, workers: int = 2) -> dict[str, Any]:
    """All of it for programs; dimensions and axes count from 0, places are file:line:column."""
    return {
        "function": plan.body.name,
        "place": str(plan.body.place),
        "shape": list(plan.shape),
        "origin": list(plan.origin),
        "indices": list(plan.body.index_names),
        "ordered": plan.ordered,
        "mode": plan.mode,
        "strategy": plan.strategy,
        "space_dim": plan.space_dim,
        "time_dim": plan.time_dim,
        "transform": [list(row) for row in plan.transform],
        "accesses": [_access_json(a, plan) for a in plan.body.accesses if a.array != SPACE],
        "dependences": [_dependence_json(d) for d in plan.dependences],
        "buffers": {name: list(arrays) for name, arrays in plan.body.buffers.items()},
        "accumulators": list(plan.body.accumulators),
        "placement": {p.array: {"where": p.where.name.lower(), "axis": p.axis} for p in plan.placements},
        "ruled_out": [{"strategy": r.strategy, "dims": list(r.dims), "why": _why(r)} for r in plan.ruled_out],
        "collision": _collision_json(plan),
        "advice": advice(plan) if plan.strategy == "serial" else None,
        "sent": [
            {"array": m.array, "when": m.when, "elements": m.elements, "bytes": m.bytes, "at_most": m.most}
            for m in moves(plan, workers)
        ],
    }


def _access_json(access: Access, plan: Plan) -> dict[str, Any]:
    subscripts = access.subscripts_text(plan.body.index_names)
    place = str(access.place)
    return {"array": access.array, "mode": access.mode, "text": access.text, "subscripts": subscripts, "place": place}


def _dependence_json(found: Dependence) -> dict[str, Any]:
    vector = [c.value if isinstance(c, vectors.Free) else c for c in found.vector]
    return {"array": found.array, "vector": vector, "first": str(found.first.place), "second": str(found.second.place)}


def _collision_json(plan: Plan) -> dict[str, Any] | None:
    found = plan.collision
    if found is None:
        return None
    places = [str(found.dependence.first.place), str(found.dependence.second.place)]
    return {
        "iterations": [list(found.first), list(found.second)],
        "element": found.element,
        "references": places,
        "certain": found.certain,
    }
