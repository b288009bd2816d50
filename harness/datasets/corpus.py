"""Reuters news stories as word counts, for topic models; the stories carry no topic labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from harness.datasets.declared import REUTERS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Corpus:
    """Documents as CSR rows: ``counts`` and ``terms`` (nnz,) int32, ``starts`` (documents + 1,) int64.

    ``terms`` are indices into ``vocabulary``; ``titles`` has one line a document.
    """

    counts: NDArray[np.int32]
    terms: NDArray[np.int32]
    starts: NDArray[np.int64]
    vocabulary: tuple[str, ...]
    titles: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.titles)


@cache
def reuters() -> Corpus:
    """395 stories: 84,010 tokens of 4,258 terms, in the LDA-C format (``pairs term:count term:count ...``)."""
    import numpy as np

    rows = [line.split()[1:] for line in _lines("reuters.ldac")]
    pairs = np.array([pair.split(":") for row in rows for pair in row], dtype=np.int32)
    return Corpus(
        counts=pairs[:, 1].copy(),
        terms=pairs[:, 0].copy(),
        starts=np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64),
        vocabulary=tuple(_lines("reuters.tokens")),
        titles=tuple(_lines("reuters.titles")),
    )


def _lines(file_name: str) -> list[str]:
    return REUTERS.path(file_name).read_text(encoding="utf-8").splitlines()
