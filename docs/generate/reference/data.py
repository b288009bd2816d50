"""Suites that come with plugins, and data sets."""

from __future__ import annotations

from collections.abc import Sequence

from harness.registry import Offer, Registry
from harness.suite import Suite, load
from reference.markdown import code, joined, table


def suites(registry: Registry, offers: Sequence[Offer]) -> str:
    """A section for each suite, with its claims."""
    return joined(_suite(offer, load(offer.thing, registry)) for offer in offers if offer.kind == "suite")


def _suite(offer: Offer, suite: Suite) -> str:
    claims = [[code(claim.id), claim.says, claim.source, code(claim.holds)] for claim in suite.claims]
    blocks = {cell.block for cell in suite.cells}
    size = f"{len(suite.cells)} cells in {len(blocks)} blocks; comes with {offer.plugin.distribution}."
    return joined(
        [
            f"## {code(offer.name)} {{ #{offer.name} }}",
            f"{suite.title}. {size}",
            table(["claim", "what it says", "source", "holds if"], claims) if claims else "",
        ]
    )


def datasets(offers: Sequence[Offer]) -> str:
    """A row for each data set: licence, size and source."""
    rows = [
        [code(d.name), d.summary, f"[{d.licence}]({d.homepage})", f"{d.size:,}", str(d.source)]
        for d in (offer.thing for offer in offers if offer.kind == "dataset")
    ]
    return table(["name", "what it is", "licence", "bytes", "comes as"], rows)
