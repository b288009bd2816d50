"""Markdown's few forms: a table, code, a docstring as text."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what would end a cell is made harmless."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def code(text: object) -> str:
    """Text as code, whatever it holds."""
    fence = "``" if "`" in str(text) else "`"
    return f"{fence}{text}{fence}"


def joined(parts: Iterable[str]) -> str:
    """Paragraphs, those that say something."""
    return "\n\n".join(part for part in parts if part)


def prose(docstring: str | None) -> str:
    """A docstring as Markdown: code in single backticks, examples as code blocks."""
    text = re.sub(r"``(.+?)``", r"`\1`", inspect.cleandoc(docstring or ""))
    return re.sub(r"(?:^(?:>>>|\.\.\.).*\n?)+", _example, text, flags=re.MULTILINE)


def sentence(docstring: str | None) -> str:
    """The first line of a docstring."""
    return prose(docstring).split("\n")[0]


def _example(match: re.Match[str]) -> str:
    lines = (line[4:] for line in match[0].splitlines())
    return "```python\n" + "\n".join(lines) + "\n```\n"


def _cell(text: str) -> str:
    """Escape bars, but for those in code, where a backslash would show."""
    return re.sub(r"(`+.+?`+)|\|", lambda match: match[1] or r"\|", text.replace("\n", " "))
