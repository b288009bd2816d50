"""Components of one kind: parameters, types, defaults, units, and what each works with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.listing import describe
from harness.registry import Offer, Registry
from reference.markdown import code, joined, prose, sentence, table

PARTNERS = {"parallelizers": "parallelizers.md", "workloads": "workloads.md"}


def components(kind: str, registry: Registry, offers: Sequence[Offer]) -> str:
    """An overview of a kind, and a section for each component."""
    found = [_description(registry, offer) for offer in offers if offer.kind == kind]
    found.sort(key=lambda description: description["name"])
    rows = [[_link(d["name"]), sentence(d["documentation"]), d["plugin"]] for d in found]
    return joined([table(["name", "what it is", "plugin"], rows), *map(_section, found)])


def _description(registry: Registry, offer: Offer) -> dict[str, Any]:
    return next(found for found in describe(registry, offer.qualified) if found["kind"] == offer.kind)


def _section(description: dict[str, Any]) -> str:
    name = description["name"]
    return joined(
        [
            f"## {code(name)} {{ #{name} }}",
            prose(description["documentation"]),
            _reads(description),
            _works_with(description),
            _parameters(description["parameters"]),
        ]
    )


def _reads(description: dict[str, Any]) -> str:
    """What a metric declares."""
    if "unit" not in description:
        return ""
    marks = [f"{description['better']} is better", *(mark for mark in ("timed", "exact") if description[mark])]
    return f"In {description['unit']}; {', '.join(marks)}."


def _works_with(description: dict[str, Any]) -> str:
    """The workloads of a parallelizer, or the other way round."""
    for partners, page in PARTNERS.items():
        if partners in description:
            links = [_link(name, page) for name in description[partners]]
            return f"Works with the {partners} {', '.join(links)}." if links else f"No {partners} yet."
    return ""


def _link(name: str, page: str = "") -> str:
    return f"[{code(name)}]({page}#{name})"


def _parameters(parameters: Sequence[dict[str, Any]]) -> str:
    if not parameters:
        return "No parameters."
    rows = [
        [
            code(parameter["name"]),
            code(parameter["type"]),
            "required" if parameter["required"] else code(repr(parameter["default"])),
            parameter["description"],
        ]
        for parameter in parameters
    ]
    return table(["parameter", "type", "default", "meaning"], rows)
