"""Mistakes a user can mend: shown as one line on stderr, with exit status 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HarnessError(ValueError):
    """Say where something is wrong, what is wrong, and what would be right.

    Example: ``raise HarnessError("must be positive, not -1", where="suites/a.toml: matrix[0].seeds")``
    """

    def __init__(self, message: str, *, where: str | None = None) -> None:
        self.message = message
        self.where = where
        super().__init__(f"{where}: {message}" if where else message)


class UnknownName(HarnessError):
    """A name that nothing registered, with the near ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, where: str | None = None) -> None:
        super().__init__(f"unknown {kind} {name!r}; {suggestion(name, known)}", where=where)


class NotAvailable(HarnessError):
    """Something that cannot run here; the message says what is missing and what brings it."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Name what was probably meant, or everything there is."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(repr(n) for n in near) + "?"
    return "there is " + ", ".join(names) if names else "there is none"
