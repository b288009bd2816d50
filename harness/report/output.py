"""What a command prints: JSON, plain columns, tables. A table's library is imported on use, to start quickly."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def console() -> Console:
    """The terminal, or a width that keeps the columns of a table that is piped into a file."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", 140)))


def print_json(thing: Any) -> None:
    """Print indented JSON."""
    print(json.dumps(thing, indent=1))  # noqa: T201


def print_columns(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> None:
    """Print rows under headings, aligned; plainly, since a drawn table would take a quarter of the time."""
    widths = [max([len(column), *(len(row[column]) for row in rows)]) for column in columns]
    for row in [dict(zip(columns, columns, strict=True)), *rows]:
        cells = [row[column].ljust(width) for column, width in zip(columns, widths, strict=True)]
        print("  ".join(cells).rstrip())  # noqa: T201


def table(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> Table:
    """Rows under headings, with long cells folded."""
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(escape(row[column]) for column in columns))
    return drawn
