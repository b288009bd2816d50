"""Checks of what every component declares: its name, summary and parameters, and what it costs to look at."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError

from harness.components import Availability, Component
from harness.errors import HarnessError
from harness.registry import Offer, Registry
from harness.testing.isolated import imported
from harness.testing.outcomes import Problem, Skip

HEAVY = ("torch", "numba", "pyarrow", "plotly", "scipy", "sklearn")
LABEL = re.compile(r"[a-z0-9][a-z0-9_.-]*")
UNKNOWN = "no_such_parameter"


def instance(offer: Offer) -> Any:
    """The component with its defaults; skip where it needs to be told something."""
    cls: type[Component] = offer.thing
    required = [name for name, field in cls.model_fields.items() if field.is_required()]
    if required:
        raise Skip(f"{offer.name} needs {', '.join(required)}")
    return cls()


def available(offer: Offer) -> Any:
    """The component with its defaults; skip where it cannot run here."""
    component = instance(offer)
    availability = component.availability()
    if not availability.ok:
        raise Skip(str(availability))
    return component


def summary(offer: Offer) -> None:
    """The docstring is its own and starts with one sentence on one line."""
    documentation = (vars(offer.thing).get("__doc__") or "").strip()
    if not documentation:
        raise Problem(f"{offer.thing.__qualname__} has no docstring: its first line is its summary everywhere")
    if "\n" in documentation and documentation.split("\n")[1].strip():
        raise Problem(f"the docstring's first line must be whole: {documentation.splitlines()[0]!r} goes on")


def label(offer: Offer) -> None:
    """The name can stand in ids, globs and file names."""
    if not LABEL.fullmatch(offer.name):
        raise Problem(f"the name must be lowercase letters, digits, '-', '_' or '.', not {offer.name!r}")


def parameters(offer: Offer) -> None:
    """Every parameter is documented."""
    bare = [name for name, field in offer.thing.model_fields.items() if not (field.description or "").strip()]
    if bare:
        raise Problem(f"no description of {', '.join(bare)}: write Field(..., description=...)")


def frozen(offer: Offer) -> None:
    """No parameter can be changed."""
    component = instance(offer)
    for name in type(component).model_fields:
        try:
            setattr(component, name, getattr(component, name))
        except ValidationError:
            continue
        raise Problem(f"{name} can be changed: a component is frozen")
    if not offer.thing.model_config.get("frozen"):
        raise Problem(f"{offer.thing.__qualname__} is not frozen: leave frozen=True in model_config")


def round_trip(offer: Offer) -> None:
    """The parameters survive JSON, which is how they are stored."""
    component = instance(offer)
    text = component.model_dump_json()
    if offer.thing.model_validate_json(text) != component:
        raise Problem(f"not the same component after JSON: {text}")


def errors(offer: Offer, registry: Registry) -> None:
    """An unknown parameter and one of a wrong type are refused in one line that names it."""
    _refused(offer, registry, UNKNOWN, 1)
    for name, field in offer.thing.model_fields.items():
        if field.annotation not in (Any, object):
            _refused(offer, registry, name, _Nothing())


class _Nothing:
    """A value of no type that a parameter could have."""


def _refused(offer: Offer, registry: Registry, name: str, value: object) -> None:
    given = "an unknown parameter" if name == UNKNOWN else f"a wrong type of {name}"
    try:
        registry.build(offer.kind, offer.qualified, {name: value})
    except HarnessError as error:
        if "\n" in str(error):
            raise Problem(f"{given} is refused in several lines: {str(error).splitlines()[0]!r} goes on") from None
    except Exception as error:
        raise Problem(f"{given} ends in {type(error).__name__}: raise ValueError in a validator") from None
    else:
        raise Problem(f"{given} is accepted")


def availability(offer: Offer) -> None:
    """Where it cannot run it says what is missing, and the command that brings it."""
    if offer.thing.requires and not offer.thing.remedy:
        raise Problem(f"requires {', '.join(offer.thing.requires)} and has no remedy: name the command that brings it")
    said = instance(offer).availability()
    if not isinstance(said, Availability):
        raise Problem(f"availability() returned {said!r}, not an Availability")
    if not said.ok and not (said.reason and said.remedy):
        raise Problem(f"not available, with reason {said.reason!r} and remedy {said.remedy!r}: say both")


def light(offer: Offer) -> None:
    """Registering the plugin imports nothing heavy."""
    heavy = sorted({*HEAVY} & {*imported(offer.plugin.name)})
    if heavy:
        raise Problem(f"registering {offer.plugin.name} imports {', '.join(heavy)}: import where it is used")
