"""HTML in small pieces: whatever is not markup already is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(thing: object) -> Markup:
    """Escape anything but markup."""
    return thing if isinstance(thing, Markup) else Markup(escape(str(thing)))


def element(name: str, *content: object, **attributes: str) -> Markup:
    """An element; an attribute ``class_`` is written ``class``, and ``aria_label`` ``aria-label``."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{written}>{join(content)}</{name}>")


def join(parts: Iterable[object]) -> Markup:
    """Parts one after another."""
    return Markup("".join(text(part) for part in parts))


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """A table that scrolls by itself where it is too wide; the first cell of a row is its heading."""
    head = element("thead", element("tr", *(element("th", name, scope="col") for name in heads)))
    body = element("tbody", *(_row(row) for row in rows))
    inner = element("table", element("caption", caption), head, body)
    return element("div", inner, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _row(cells: Sequence[object]) -> Markup:
    first, *others = cells
    return element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in others))


def code(listing: str) -> Markup:
    """Lines as they are; in the tab order, since they scroll by themselves where they are too wide."""
    return element("pre", element("code", listing), tabindex="0")


def details(summary: object, *content: object) -> Markup:
    """Content that opens on demand."""
    return element("details", element("summary", summary), *content)


def section(identity: str, title: str, *content: object) -> Markup:
    """A section of the page with its heading."""
    return element("section", element("h2", title), *content, id=identity)
