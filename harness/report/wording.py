"""How figures and claims read, whatever shows them: tables, pages, Markdown, test reports."""

from __future__ import annotations

import math

from harness.records import ClaimResult


def number(value: float | None) -> str:
    """Three or four significant digits, or a dash."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.4g}"
    return f"{value:.2e}"


def interval(claim: ClaimResult) -> str:
    """Both ends, one of them perhaps beyond every number, where targets were not reached; a dash for none."""
    if claim.low is None and claim.high is None:
        return "-"
    low = "-∞" if claim.low is None else number(claim.low)
    high = "∞" if claim.high is None else number(claim.high)
    return f"{low} .. {high}"


def pairs(claim: ClaimResult) -> str:
    """How many gave a number, and how many reached no target."""
    return f"{claim.pairs}, {claim.unreached} unreached" if claim.unreached else str(claim.pairs)


def paper(claim: ClaimResult) -> str:
    """What the paper says, and whether that was read or reported; a dash where it names no figure."""
    if claim.paper is None:
        return "-"
    return f"{claim.paper} ({claim.evidence})" if claim.evidence else str(claim.paper)
