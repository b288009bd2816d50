"""The front end: a loop body's text in, its arguments and accesses out."""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Mapping
from types import FunctionType

from harness import HarnessError
from harness_orion.reading import calls
from harness_orion.reading.accesses import Argument, ArrayFacts, Body, BufferOf, Role
from harness_orion.reading.affine import Affine
from harness_orion.reading.frame import Frame, Log, space_view
from harness_orion.reading.source import Source
from harness_orion.reading.statements import run_all
from harness_orion.reading.values import SPACE, Env, Kind, Value, View, packed

__all__ = ["calls", "parameters", "read_body"]


def parameters(function: FunctionType) -> list[str]:
    """The names of a body's array arguments: all but the key and the value."""
    where = f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"
    found = list(inspect.signature(function).parameters.values())
    if len(found) < 2 or any(p.kind not in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in found):
        raise HarnessError(f"{function.__name__}: a loop body takes (key, val, *arrays*), each by a name", where=where)
    return [p.name for p in found[2:]]


def read_body(
    function: FunctionType,
    *,
    ndim: int,
    arguments: Mapping[str, Argument],
    space_array: str | None = None,
    truths: bool = False,
) -> Body:
    """Read a loop's body over a space of ``ndim`` dimensions.

    ``space_array`` is the argument that it runs over, if any; ``truths``: its values are, or hold, booleans.

    Raises HarnessError, pointing at file, line and column, for what cannot be analysed.
    """
    source = Source.of(function)
    missing = [name for name in parameters(function) if name not in arguments]
    if missing:
        raise HarnessError(
            f"nothing is known of {', '.join(missing)}: give its shape", where=str(source.place(source.tree))
        )
    log = Log(ndim, {name: arguments[name] for name in parameters(function)})
    entry = space_view(space_array or SPACE, ndim)
    key, val, *_ = inspect.signature(function).parameters
    env: Env = {name: _argument(name, argument) for name, argument in log.arguments.items()}
    env[key] = packed(tuple(Value(affine=Affine.index(d, ndim)) for d in range(ndim)))
    env[val] = Value(views=frozenset({entry}), truth=truths)
    frame = Frame(source, log, env)
    frame.record(source.tree.args.args[1], entry, "read")
    run_all(source.tree.body, frame)
    return _body(frame, key)


def _argument(name: str, argument: Argument) -> Value:
    if isinstance(argument, ArrayFacts):
        return Value(views=frozenset({View.whole(name, len(argument.shape))}), name=name)
    if isinstance(argument, BufferOf):
        return Value(kind=Kind.BUFFER, name=name)
    if argument is Role.ACCUMULATOR:
        return Value(kind=Kind.ACCUMULATOR, name=name)
    return Value(truth=argument is Role.TRUTH)


def _body(frame: Frame, key: str) -> Body:
    log, source = frame.log, frame.source
    buffers = {n: a.arrays for n, a in log.arguments.items() if isinstance(a, BufferOf) and n in log.buffers}
    return Body(
        source.function.__name__,
        source.place(source.tree),
        log.ndim,
        dict(log.arguments),
        tuple(log.accesses),
        buffers,
        tuple(log.accumulators),
        tuple(n for n in log.captured if not hasattr(builtins, n)),
        tuple(log.index_names.get(d, f"{key}[{d}]") for d in range(log.ndim)),
    )
