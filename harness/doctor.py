"""What this machine can run, what is missing, and what brings it; and clearing away left-overs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.components import KINDS
from harness.registry import Registry


def examine(registry: Registry) -> list[Mapping[str, str]]:
    """One row for each component that can be made without parameters, and each plugin that failed."""
    rows: list[Mapping[str, str]] = [
        {"kind": "plugin", "name": p.name, "state": "failed", "detail": p.error} for p in registry.plugins if p.error
    ]
    for kind in KINDS:
        for offer in registry.of_kind(kind):
            rows.append({"kind": kind, "name": offer.name, **_state(offer.thing)})
    for offer in registry.of_kind("dataset"):
        fetched = offer.thing.fetched
        detail = "" if fetched else f"harness data fetch {offer.name}"
        rows.append({"kind": "dataset", "name": offer.name, "state": "ok" if fetched else "absent", "detail": detail})
    return rows


def _state(cls: type[Any]) -> dict[str, str]:
    try:
        availability = cls().availability()
    except ValidationError:
        return {"state": "ok", "detail": "needs parameters"}
    return {"state": "ok" if availability.ok else "missing", "detail": str(availability)}


def clean(results: Path = Path("results")) -> list[Path]:
    """Remove what a kill may have left: temporary files that no process of this machine still writes."""
    removed = []
    for path in results.glob("*/**/.*.[0-9]*"):
        owner = path.name.rpartition(".")[2]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            path.unlink()
            removed.append(path)
    return removed
