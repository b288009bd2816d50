"""What is there: components, suites, data sets and plugins; and what one component takes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic_core import PydanticUndefined

from harness.components import KINDS, Component, Metric, Parallelizer, Workload
from harness.errors import UnknownName
from harness.registry import Offer, Registry
from harness.suite import fitting_parallelizers, title

LIMITS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
LISTED = (*KINDS, "suite", "dataset", "estimator", "command")


def rows(registry: Registry, kind: str | None = None) -> list[dict[str, str]]:
    """One row for each thing offered, and for each plugin with its error, if any."""
    if kind not in (None, "plugin", *LISTED):
        raise UnknownName("kind", str(kind), [*LISTED, "plugin"])
    offered = [_row(offer) for listed in LISTED if kind in (None, listed) for offer in registry.of_kind(listed)]
    plugins = [
        {
            "kind": "plugin",
            "name": plugin.name,
            "summary": plugin.distribution,
            "plugin": plugin.distribution,
            "version": plugin.version,
            "error": plugin.error,
        }
        for plugin in registry.plugins
        if kind in (None, "plugin")
    ]
    return offered + plugins


def _row(offer: Offer) -> dict[str, str]:
    thing = offer.thing
    if isinstance(thing, type) and issubclass(thing, Component):
        summary = thing.summary()
    elif isinstance(thing, Path):
        summary = title(thing)
    else:
        summary = str(getattr(thing, "summary", thing))
    return {
        "kind": offer.kind,
        "name": offer.name,
        "summary": summary,
        "plugin": offer.plugin.distribution,
        "version": offer.plugin.version,
        "error": "",
    }


def describe(registry: Registry, name: str) -> list[dict[str, Any]]:
    """Everything called ``name``: summary, parameters with types and defaults, and what it works with."""
    found = [registry.offer(kind, name) for kind in KINDS if name.rpartition(":")[2] in registry.names(kind)]
    if not found:
        raise UnknownName("component", name, [n for kind in KINDS for n in registry.names(kind)])
    return [_description(registry, offer) for offer in found]


def _description(registry: Registry, offer: Offer) -> dict[str, Any]:
    cls: type[Component] = offer.thing
    description: dict[str, Any] = {
        **_row(offer),
        "documentation": (cls.__doc__ or "").strip(),
        "parameters": [
            {
                "name": name,
                "type": _type(field.annotation, field.metadata),
                "default": None if field.default is PydanticUndefined else field.default,
                "required": field.is_required(),
                "description": field.description or "",
            }
            for name, field in cls.model_fields.items()
        ],
    }
    if issubclass(cls, Workload):
        description["parallelizers"] = fitting_parallelizers(cls, registry)
    if issubclass(cls, Parallelizer):
        description["workloads"] = [o.name for o in registry.of_kind("workload") if issubclass(o.thing, cls.accepts())]
    if issubclass(cls, Metric):
        description |= {"unit": cls.unit, "better": cls.better, "timed": cls.timed, "exact": cls.exact}
    return description


def _type(annotation: Any, constraints: Iterable[Any] = ()) -> str:
    """A type as a reader says it: ``int > 0``, ``'tuned' | 'paper'``."""
    limits = "".join(
        f" {sign} {value:g}"
        for constraint in constraints
        for name, sign in LIMITS.items()
        if (value := getattr(constraint, name, None)) is not None
    )
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inside[0], inside[1:]) + limits
    if origin is Literal:
        return " | ".join(repr(choice) for choice in inside)
    if origin in (Union, UnionType):
        return " | ".join(_type(choice) for choice in inside) + limits
    if annotation is type(None):
        return "None"
    return (annotation.__name__ if isinstance(annotation, type) and not inside else str(annotation)) + limits
