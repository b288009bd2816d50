"""Lowering: a body's row expressions become scalar loops, fused where they may be, in a function over packed entries.

The body is gone through as the interpreter would run it: a name stands for a number, for memory of an array, or for
a row that is written as an expression of its index k. What a row expression does becomes a loop over k;
loops of one range are then joined, wherever what comes after needs nothing that would be missing.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from numpy.typing import NDArray

from harness_orion.analysis.plan import Plan
from harness_orion.arrays import DistArray
from harness_orion.lowering import calls as _calls  # noqa: F401 (registers how calls are lowered)
from harness_orion.lowering.ahead import fetches
from harness_orion.lowering.beside import Beside
from harness_orion.lowering.bodies import argument_things, key_things, scope_of, val_thing
from harness_orion.lowering.emit import Writer, indented
from harness_orion.lowering.fuse import checks_in, fused
from harness_orion.lowering.hoist import with_reciprocals
from harness_orion.lowering.ir import Elem, Stmt, Var
from harness_orion.lowering.places import element
from harness_orion.lowering.scope import Buffered, Items, Ref, Shared, Thing
from harness_orion.lowering.statements import lower_all
from harness_orion.lowering.types import Type, Unsupported
from harness_orion.reading.source import Source
from harness_orion.space import Space

TURNS = 8


@dataclass(frozen=True)
class Lowered:
    """A generated function ``run(start, stop, at, *keys, *values, *arguments, *tables)``.

    ``tables``: arrays captured from outside, and what arrays lie in beside others. ``types``: those of scalar
    accumulators, by name. ``sums``: it adds up floats, whose order is then left to the compiler. ``exact``: no result
    depends on that, or on rounding.
    """

    text: str
    tables: tuple[NDArray[Any], ...]
    types: Mapping[str, Type]
    sums: bool
    exact: bool


def lowered(
    function: FunctionType,
    plan: Plan,
    space: Space,
    columns: Sequence[Any],
    arguments: Mapping[str, Any],
    live: str | None,
) -> Lowered:
    """Lower a body; raise Unsupported, saying what stands in the way.

    ``columns`` are the parts of ``val``; ``live``: the argument that the loop runs over, whose elements ``val`` is.
    """
    types: dict[str, Type] = {}
    for _ in range(TURNS):
        before = dict(types)
        shared = Shared(space, types)
        _run(function, plan, columns, arguments, live, shared)
        if types == before:
            return _written(plan, columns, arguments, shared)
    raise Unsupported("types of numbers that do not settle")


def _run(
    function: FunctionType,
    plan: Plan,
    columns: Sequence[Any],
    arguments: Mapping[str, Any],
    live: str | None,
    shared: Shared,
) -> None:
    scope = scope_of(function, shared)
    key, val, *_ = inspect.signature(function).parameters
    things = argument_things(arguments, shared.types)
    keys = key_things(_index_names(plan), shared)
    scope.env.update(things)
    scope.env[key] = keys
    scope.env[val] = _bound(val_thing(columns, parts=isinstance(shared.space.values, tuple)), shared)
    if live is not None:
        memory = things[live]
        assert isinstance(memory, Ref)
        subscripts = tuple(k.name for k in keys.items)  # type: ignore[union-attr]
        scope.env[val] = shared.bind(element(Ref(memory.array, memory.type, subscripts, ())), val)
    lower_all(Source.of(function).tree.body, scope)


def _bound(thing: Thing, shared: Shared) -> Thing:
    if isinstance(thing, Items):
        return Items(tuple(_bound(item, shared) for item in thing.items))
    return shared.bind(thing, "val") if isinstance(thing, Elem) else thing


def _index_names(plan: Plan) -> list[str]:
    return [n if n.isidentifier() else f"index{d}" for d, n in enumerate(plan.body.index_names)]


def _written(plan: Plan, columns: Sequence[Any], arguments: Mapping[str, Any], shared: Shared) -> Lowered:
    things = argument_things(arguments, shared.types)
    before, statements = _hoisted(fused(shared.out), things, shared)
    beside = Beside.of(arguments)
    before, statements = beside.written(before), beside.written(statements)
    arrays = {f"{n}_": a.values for n, a in arguments.items() if isinstance(a, DistArray)}
    writer = Writer([*before, *statements], list(shared.rows))
    names = _index_names(plan)
    keys = [f"{n}_{d}" for d, n in enumerate(names)]
    head = [
        *fetches(statements, keys, shared.space, arrays, beside),
        *(f"{k} = np.int64(key{d}[e])" for d, k in enumerate(keys)),
    ]
    if checks_in(statements):
        head.append("at[0] = e")
    turn = indented([*head, *writer.lines(statements)])
    rows = [
        f"{name} = np.empty({length}, {of.code})"
        for name, (of, length) in shared.rows.items()
        if name not in writer.local
    ]
    parameters = [
        *("start", "stop", "at"),
        *(f"key{d}" for d in range(len(names))),
        *(f"value{n}" for n in range(len(columns))),
        *(p for name, thing in things.items() for p in _parameters(name, thing)),
        *shared.tables,
        *beside.memories,
    ]
    ahead = writer.lines(before) if before else []
    lines = [f"def run({', '.join(parameters)}):", *indented([*rows, *ahead, "for e in range(start, stop):", *turn])]
    exact = not (shared.sums or shared.rounded)
    tables = (*shared.tables.values(), *beside.memories.values())
    return Lowered("\n".join(lines) + "\n", tables, shared.types, shared.sums, exact)


def _hoisted(statements: list[Stmt], things: Mapping[str, Thing], shared: Shared) -> tuple[list[Stmt], list[Stmt]]:
    """What is done before all entries, and for each; quotients change only where sums are to rounding anyway."""
    numbers = {thing.name for thing in things.values() if isinstance(thing, Var)}
    return with_reciprocals(shared, statements, numbers) if shared.sums else ([], statements)


def _parameters(name: str, thing: Thing) -> list[str]:
    return [f"{name}_values", f"{name}_written"] if isinstance(thing, Buffered) else [f"{name}_"]
