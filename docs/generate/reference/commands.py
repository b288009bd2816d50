"""The command line, from what the commands say of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from harness.cli import app
from reference.markdown import code, joined, sentence, table


def commands() -> str:
    """Every command with its arguments and options."""
    return joined(_section(name, command) for name, command in _walk("harness", typer.main.get_command(app)))


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Every command that is shown, with the words that call it."""
    if command.hidden:
        return
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, inner in command.commands.items():
        yield from _walk(f"{name} {word}", inner)


def _section(name: str, command: Any) -> str:
    context = typer.Context(command)
    records = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    rows = [[code(form), " ".join(text.split())] for form, text in records]
    parameters = table(["argument or option", "meaning"], rows) if rows else ""
    return joined([f"## {code(name)}", sentence(command.help), parameters])
