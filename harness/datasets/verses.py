"""The King James Bible as running text, in characters or in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from harness.data import cached
from harness.datasets.declared import KING_JAMES
from harness.datasets.lzw import MAGIC, decompress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Unit = Literal["characters", "words"]
VERSE = re.compile(r"(\d?[A-Za-z]+)(\d+):(\d+) (.*)")
WORD = re.compile(r"[A-Za-z']+|[^\sA-Za-z']|\n")
RARE = "<rare>"


@dataclass(frozen=True)
class Verse:
    """A line of the text: its book, abbreviated as in the file ('Ge', '1Chr'), and its words."""

    book: str
    text: str


@dataclass(frozen=True)
class Tokens:
    """Running text: ``codes`` (n,) int64 are indices into ``vocabulary``, ``books`` (n,) number the 66 books from 0."""

    codes: NDArray[np.int64]
    books: NDArray[np.int64]
    vocabulary: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)


@cache
def king_james() -> tuple[Verse, ...]:
    """The 31,102 verses in their order."""
    import numpy as np

    def read() -> dict[str, NDArray[np.uint8]]:
        data = KING_JAMES.path("bible.data").read_bytes()
        return {"text": np.frombuffer(decompress(data[data.index(MAGIC) :]), np.uint8)}

    text = cached(f"king-james {KING_JAMES.members[0].sha256}", read)["text"].tobytes().decode("ascii")
    found = (VERSE.fullmatch(line) for line in text.splitlines())
    return tuple(Verse(match[1], match[4]) for match in found if match)


@cache
def king_james_tokens(unit: Unit = "characters", most: int | None = None) -> Tokens:
    """The text, a newline after each verse, in characters or words; all but the ``most`` frequent are one token."""
    import numpy as np

    verses = king_james()
    split = WORD.findall if unit == "words" else list
    lines: list[Sequence[str]] = [split(f"{verse.text}\n") for verse in verses]
    counts = Counter(token for line in lines for token in line)
    common = counts.most_common(most)
    vocabulary = tuple(sorted(token for token, _ in common)) + ((RARE,) if len(common) < len(counts) else ())
    numbers = {token: number for number, token in enumerate(vocabulary)}
    order = {book: number for number, book in enumerate(dict.fromkeys(verse.book for verse in verses))}
    return Tokens(
        np.array([numbers.get(token, len(common)) for line in lines for token in line], np.int64),
        np.repeat([order[verse.book] for verse in verses], [len(line) for line in lines]),
        vocabulary,
    )
