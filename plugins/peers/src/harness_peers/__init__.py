"""What users would pick instead: other packages' methods, wrapped through the hooks of any plugin."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from harness import Parallelizer, hookimpl

# The plugin whose workloads or plans they use, and the module of the peers.
PEERS = {"harness_strsaga": "scikit_learn", "harness_pipedream": "pipelining"}


@hookimpl
def harness_parallelizers() -> Iterator[type[Parallelizer[Any]]]:
    """Every peer of a plugin that is installed, whether or not what it wraps is."""
    for plugin, module in PEERS.items():
        if find_spec(plugin):
            yield from import_module(f"harness_peers.{module}").PARALLELIZERS
