"""What users would pick instead: other packages' methods, wrapped through the hooks of any plugin."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from harness import Dataset, Parallelizer, hookimpl

# The plugin whose workloads or plans they use, and the module of the peers.
PEERS = (
    ("harness_strsaga", "scikit_learn"),
    ("harness_pipedream", "pipelining"),
    ("harness_skewscout", "flower"),
    ("harness_orion", "libmf"),
    ("harness_orion", "tomotopy"),
)


@hookimpl
def harness_parallelizers() -> Iterator[type[Parallelizer[Any]]]:
    """Every peer of a plugin that is installed, whether or not what it wraps is."""
    for module in _modules():
        yield from module.PARALLELIZERS


@hookimpl
def harness_datasets() -> Iterator[Dataset]:
    """What peers are compiled from."""
    for module in _modules():
        yield from getattr(module, "DATASETS", ())


def _modules() -> Iterator[Any]:
    for plugin, module in PEERS:
        if find_spec(plugin):
            yield import_module(f"harness_peers.{module}")
