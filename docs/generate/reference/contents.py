"""What there is to write. It covers the core and every plugin under ``plugins/``, whatever else is installed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from harness.registry import Offer, Registry, load
from reference.commands import commands
from reference.components import components
from reference.data import datasets, suites
from reference.extending import api, checks, hooks
from reference.licences import licences

GENERATORS: dict[str, Callable[[Registry, list[Offer]], str]] = {
    "workloads": partial(components, "workload"),
    "parallelizers": partial(components, "parallelizer"),
    "devices": partial(components, "device"),
    "metrics": partial(components, "metric"),
    "datasets": lambda _, offers: datasets(offers),
    "licences": lambda _, offers: licences(offers),
    "suites": suites,
    "checks": checks,
    "commands": lambda *_: commands(),
    "hooks": lambda *_: hooks(),
    "api": lambda *_: api(),
}


def generated(name: str, root: Path) -> str:
    """The Markdown that stands for ``<!-- generated: NAME -->``."""
    registry = load()
    ours = {"paper-harness", *_distributions(root)}
    offers = [offer for offer in registry.offers if offer.plugin.distribution in ours]
    return GENERATORS[name](registry, sorted(offers, key=lambda offer: offer.qualified))


def plugin_pages(root: Path) -> list[tuple[str, str, str]]:
    """Name, path and text of a page for each plugin: its README, with links that fit the site."""
    readmes = sorted((root / "plugins").glob("*/README.md"))
    return [(path.parent.name, f"systems/{path.parent.name}.md", _on_site(path)) for path in readmes]


def unloaded(root: Path) -> list[str]:
    """The plugins of this repository that the reference would lack, and why."""
    errors = {plugin.distribution: plugin.error for plugin in load().plugins}
    problems = {name: errors.get(name, "not installed; make installs it") for name in _distributions(root)}
    return [f"plugin {name}: {problem}" for name, problem in problems.items() if problem]


def _distributions(root: Path) -> list[str]:
    projects = sorted((root / "plugins").glob("*/pyproject.toml"))
    return [tomllib.loads(path.read_text(encoding="utf-8"))["project"]["name"] for path in projects]


def _on_site(readme: Path) -> str:
    text = (
        readme.read_text(encoding="utf-8")
        .replace("](../../README.md)", "](../index.md)")
        .replace("](../../docs/", "](../")
    )
    return re.sub(r"\]\(\.\./(\w+)/README\.md\)", r"](\1.md)", text)
