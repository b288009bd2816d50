"""What mkdocs calls while it builds: fills in what is written from the code, and adds a page for each plugin."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from reference import generated, plugin_pages, unloaded

MARKER = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)
SYSTEMS = "Systems"
DECISIONS = "Decisions"

# mkdocs counts the warnings of its own loggers, and a strict build fails with them.
log = logging.getLogger("mkdocs.hooks.reference")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the plugins and the decisions in the navigation; warn of a plugin that the reference would lack."""
    root = _root(config)
    for problem in unloaded(root):
        log.warning(problem)
    decisions = [f"decisions/{path.name}" for path in sorted((root / "docs/decisions").glob("*.md"))]
    sections = {SYSTEMS: [{name: path} for name, path, _ in plugin_pages(root)], DECISIONS: decisions}
    for entry in config.nav or []:
        for section in sections.keys() & entry.keys():
            entry[section] = sections[section]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the plugins' pages, which lie in the plugins' own folders."""
    for _, path, text in plugin_pages(_root(config)):
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, *, config: MkDocsConfig, **_: Any) -> str:
    """Put what the code says in the place of each marker."""
    return MARKER.sub(lambda marker: generated(marker[1], _root(config)), markdown)


def _root(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path).parent
