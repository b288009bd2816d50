"""For plugin authors: the hooks, the conformance kit's checks, and the API."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import harness
from harness import hookspecs
from harness.components import KINDS
from harness.registry import Offer, Registry
from harness.testing import Check, checks_of
from reference.markdown import code, joined, prose, sentence, table


def hooks() -> str:
    """Every hook with its signature."""
    found = {name: function for name, function in vars(hookspecs).items() if name.startswith("harness_")}
    return joined(joined([f"## {code(name)}", _signature(name, f), prose(f.__doc__)]) for name, f in found.items())


def checks(registry: Registry, offers: Sequence[Offer]) -> str:
    """What ``harness check`` asks: of every component, then of each kind."""
    asked: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for check in checks_of([offer.qualified for offer in offers if offer.kind in KINDS], registry):
        asked[check.kind][check.name] = sentence(_question(check).__doc__)
    common = set.intersection(*(set(of_kind) for of_kind in asked.values()))
    groups = {"Every component": {name: asked["metric"][name] for name in asked["metric"] if name in common}}
    for kind, of_kind in asked.items():
        told = common | (set(asked["parallelizer"]) if kind == "workload" else set())
        groups[f"{kind.capitalize()}s"] = {name: text for name, text in of_kind.items() if name not in told}
    return joined(joined([f"## {title}", _checks(group)]) for title, group in groups.items())


def api() -> str:
    """What ``import harness`` exports."""
    things = {name: getattr(harness, name) for name in harness.__all__}
    return joined(_thing(name, thing) for name, thing in things.items() if not inspect.ismodule(thing))


def _question(check: Check) -> Callable[..., None]:
    """The function whose docstring says what a check wants."""
    ask: Any = check.ask
    function: Callable[..., None] = next((a for a in ask.args if inspect.isfunction(a)), ask.func)
    return function


def _checks(group: dict[str, str]) -> str:
    return table(["check", "what passes"], [[code(name), text] for name, text in group.items()])


def _thing(name: str, thing: Any) -> str:
    methods = list(_methods(thing)) if inspect.isclass(thing) else []
    return joined(
        [
            f"## {code(name)}",
            _signature(name, thing) if inspect.isfunction(thing) else "",
            prose(thing.__doc__),
            _fields(thing),
            table(["method", "what it does"], methods) if methods else "",
        ]
    )


def _fields(thing: Any) -> str:
    """The names of a record's fields."""
    names = getattr(thing, "model_fields", None) or getattr(thing, "__dataclass_fields__", {})
    public = [code(name) for name in names if not name.startswith("_")]
    return f"Fields: {', '.join(public)}." if public else ""


def _methods(cls: type[Any]) -> Iterator[list[str]]:
    """The public methods and properties that a class itself defines."""
    for name, member in list(vars(cls).items()):  # Looking at a model completes it, which adds to it.
        function = getattr(member, "__func__", getattr(member, "fget", member))
        if not name.startswith(("_", "model_")) and inspect.isfunction(function):
            form = name if isinstance(member, property) else f"{name}{_arguments(function)}"
            yield [code(form), sentence(function.__doc__)]


def _arguments(function: Callable[..., Any]) -> str:
    """A signature without types, which the text tells."""
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in own]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def _signature(name: str, function: Callable[..., Any]) -> str:
    return f"```python\ndef {name}{str(inspect.signature(function)).replace(chr(39), '')}: ...\n```"
