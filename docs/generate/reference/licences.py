"""Who may use what: our distributions and what they need, by their own metadata; data and weights, by declaration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, metadata, requires
from itertools import groupby

from harness.registry import Offer
from reference.markdown import code, joined, table

NAME = re.compile(r"[A-Za-z0-9._-]+")


def licences(offers: Sequence[Offer]) -> str:
    """Code, what it needs at run time, and data with weights, each with its licence."""
    ours = sorted({offer.plugin.distribution for offer in offers})
    needed = sorted({name for one in ours for name in _needed(one)} - set(ours), key=str.lower)
    return joined(
        [
            "## Code",
            table(["distribution", "licence"], _rows(ours)),
            "## What it needs, its extras aside",
            table(["distribution", "licence"], _rows(needed)),
            "## Data and weights",
            table(["licence", "data sets"], _data(offers)),
        ]
    )


def _needed(distribution: str) -> Iterator[str]:
    for requirement in requires(distribution) or ():
        found = NAME.match(requirement)
        if found and "extra ==" not in requirement:
            yield found[0]


def _rows(distributions: Iterable[str]) -> list[list[str]]:
    return [[code(name), _licence(name)] for name in distributions]


def _licence(distribution: str) -> str:
    """The SPDX expression where there is one, else the classifier's or the field's first line."""
    try:
        found = metadata(distribution)
    except PackageNotFoundError:
        return "not installed here"
    classifiers = [c.rpartition(" :: ")[2] for c in found.get_all("Classifier", []) if c.startswith("License ::")]
    stated = found["License-Expression"] or ", ".join(classifiers) or (found["License"] or "").partition("\n")[0]
    return stated or "not stated"


def _data(offers: Sequence[Offer]) -> list[list[str]]:
    sets = sorted((offer.thing for offer in offers if offer.kind == "dataset"), key=lambda d: (d.licence, d.name))
    return [
        [licence, ", ".join(f"[{code(d.name)}]({d.homepage})" for d in group)]
        for licence, group in groupby(sets, key=lambda d: d.licence)
    ]
