"""Focus for the harness: video divided between ingest and query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness import Dataset, hookimpl
from harness_focus.declared import DATASETS


@hookimpl
def harness_datasets() -> Iterable[Dataset]:
    """Videos, and networks' weights."""
    return DATASETS


@hookimpl
def harness_commands() -> Mapping[str, str]:
    """``harness focus``: index videos, and query them."""
    return {"focus": "harness_focus.commands:app"}
