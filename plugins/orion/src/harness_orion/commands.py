"""``harness orion``: analyse a loop without running it."""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from pathlib import Path
from types import FunctionType
from typing import Annotated, Any

import typer

from harness import HarnessError
from harness_orion.analysis import explanation
from harness_orion.analysis.strategies import make_plan
from harness_orion.loop import Loop
from harness_orion.reading.accesses import Argument, ArrayFacts, BufferOf, Role
from harness_orion.reading.affine import Key
from harness_orion.reading.frontend import parameters, read_body
from harness_orion.reading.source import Source
from harness_orion.space import Grid, Space

app = typer.Typer(help="Orion: what a serial loop allows to run at once, and why.", no_args_is_help=True)


@app.callback()
def orion() -> None:
    """Orion: what a serial loop allows to run at once, and why."""


@app.command()
def explain(
    target: Annotated[str, typer.Argument(metavar="FILE:FUNCTION", help="A loop body; the file is imported.")],
    shape: Annotated[str | None, typer.Option(metavar="NxM", help="The iteration space's extents.")] = None,
    arrays: Annotated[str, typer.Option(metavar="A=NxK,...", help="The arrays' shapes.")] = "",
    origin: Annotated[str | None, typer.Option(metavar="NxM", help="The least key; default zeros.")] = None,
    ordered: Annotated[bool, typer.Option("--ordered", help="The order of the iterations matters.")] = False,
    paper: Annotated[bool, typer.Option("--paper", help="The paper's rules in place of exact integer sets.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="How many workers, for what is sent.")] = 2,
    source: Annotated[bool, typer.Option("--source", help="Print the generated code instead.")] = False,
    dtype: Annotated[str, typer.Option(metavar="TYPE", help="The arrays' type, for --source.")] = "float32",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print a loop's accesses, dependence vectors, strategy, and what each rotation sends."""
    loop = load(target)
    function = loop.body if isinstance(loop, Loop) else loop
    space = _space(loop, shape, origin, target)
    facts = arguments(function, _shapes(arrays))
    body = read_body(function, ndim=len(space.shape), arguments=facts)
    in_order = ordered or (isinstance(loop, Loop) and loop.ordered)
    plan = make_plan(body, space, ordered=in_order, mode="paper" if paper else "exact")
    if source:
        from harness_orion.compiling.source import source_text

        typer.echo(source_text(function, plan, space, facts, _dtype(dtype)))
    elif as_json:
        typer.echo(json.dumps(explanation.to_json(plan, workers=workers), indent=1))
    else:
        typer.echo(explanation.explain(plan, workers=workers))


def _dtype(name: str) -> str:
    import numpy as np

    try:
        return np.dtype(name).name
    except TypeError:
        raise HarnessError(f"{name!r} is no type of numbers; write float32 or float64", where="--dtype") from None


def load(target: str) -> FunctionType | Loop:
    """Import a file and find a function of it, or a loop."""
    path, _, name = target.rpartition(":")
    file = Path(path)
    if not path or not file.is_file():
        raise HarnessError(f"no such file: {path or target!r}; name a loop as FILE:FUNCTION")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise HarnessError("no Python file", where=path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise HarnessError(f"importing it failed: {type(error).__name__}: {error}", where=path) from error
    finally:
        sys.path.pop(0)
    found = getattr(module, name, None)
    if not isinstance(found, FunctionType | Loop):
        there = [n for n, thing in vars(module).items() if isinstance(thing, FunctionType | Loop)]
        raise HarnessError(f"no function {name!r}; there is {', '.join(there) or 'none'}", where=path)
    return found


def _space(loop: FunctionType | Loop, shape: str | None, origin: str | None, target: str) -> Space:
    if shape is not None:
        return Grid(_extents(shape, "--shape"), _extents(origin, "--origin") if origin else ())
    if isinstance(loop, Loop):
        return loop.space
    raise HarnessError("give the iteration space's extents: --shape 12x8", where=target)


def _extents(text: str, what: str) -> Key:
    try:
        return tuple(int(part) for part in text.split("x"))
    except ValueError:
        raise HarnessError(f"{text!r}: extents are numbers, as in 12x8", where=what) from None


def _shapes(text: str) -> dict[str, Key]:
    found = {}
    for item in filter(None, text.split(",")):
        name, equals, extents = item.partition("=")
        if not equals:
            raise HarnessError(f"{item!r}: an array's shape is given as W=12x4", where="--arrays")
        found[name.strip()] = _extents(extents, f"--arrays {name}")
    return found


def arguments(function: FunctionType, shapes: dict[str, Key]) -> dict[str, Argument]:
    """What each argument is: an array if its shape is given, ``A_buf`` a buffer of A, the others by their use."""
    source = Source.of(function)
    names = parameters(function)
    strange = [name for name in shapes if name not in names]
    if strange:
        raise HarnessError(f"no argument {strange[0]!r}; there is {', '.join(names)}", where="--arrays")
    return {name: _argument(name, shapes, source) for name in names}


def _argument(name: str, shapes: dict[str, Key], source: Source) -> Argument:
    if name in shapes:
        return ArrayFacts(shapes[name])
    target = name.removesuffix("_buf")
    if target != name and target in shapes:
        return BufferOf((target,))
    nodes = list(ast.walk(source.tree))
    if any(isinstance(n, ast.AugAssign) and _is(n.target, name) for n in nodes):
        return Role.ACCUMULATOR
    if any(isinstance(n, ast.Subscript | ast.Attribute) and _is(n.value, name) for n in nodes):
        raise HarnessError(f"the shape of {name} is needed: --arrays {name}=12x4", where=str(source.place(source.tree)))
    return Role.NUMBER


def _is(node: Any, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
