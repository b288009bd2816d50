"""Which part of the King James Bible a verse is from: a bag of embeddings on real text in ten classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PositiveFloat, PositiveInt

from harness.workloads.training import TrainingWorkload

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

HELD_OUT = 5  # every fifth verse, so that all books are in both sets
# The customary parts, in the order of the books, and how many books each has.
PARTS = {
    "law": 5,
    "history": 12,
    "poetry": 5,
    "major prophets": 5,
    "minor prophets": 12,
    "gospels": 4,
    "acts": 1,
    "letters of Paul": 13,
    "general letters": 8,
    "revelation": 1,
}


@dataclass(frozen=True)
class Verses:
    """All verses: ``codes`` (n, length) of ``words`` words, filled up with ``words``; ``books`` and ``parts`` (n,)."""

    codes: NDArray[np.int64]
    books: NDArray[np.int64]
    parts: NDArray[np.int64]
    words: int

    @classmethod
    def read(cls, vocabulary: int, length: int) -> Verses:
        """The King James Bible, its words cut after so many of a verse."""
        import numpy as np

        from harness.datasets import king_james_tokens

        text = king_james_tokens("words", vocabulary)
        words = len(text.vocabulary)
        ends = np.flatnonzero(text.codes == text.vocabulary.index("\n"))
        starts = np.append(0, ends[:-1] + 1)
        places = starts[:, None] + np.arange(length)
        inside = places < ends[:, None]
        codes = np.where(inside, text.codes[np.minimum(places, len(text) - 1)], words)
        books = text.books[starts]
        return cls(codes, books, np.repeat(np.arange(len(PARTS)), list(PARTS.values()))[books], words)


class VersesBag(TrainingWorkload):
    """A verse's part of the King James Bible, of ten, from the mean of its words' embeddings (Joulin et al., 2017)."""

    name: ClassVar[str] = "verses-bag"

    vocabulary: PositiveInt = Field(4000, description="most frequent words and marks; the others are all one")
    length: PositiveInt = Field(48, description="words and marks of a verse, from its beginning")
    embedding: PositiveInt = Field(16, description="numbers that stand for a word")
    rate: PositiveFloat = Field(1.0, description="step size")
    samples: PositiveInt = Field(24_882, description="verses to train with, evenly over the text; at most all")
    evaluation_samples: PositiveInt = Field(6_220, description="verses to test with, evenly; at most all")

    def model(self) -> torch.nn.Module:
        """The mean of embeddings and a score for each part, (n, length) -> (n, 10)."""
        from harness.workloads.nets import bag_classifier

        return bag_classifier(self._verses.words, len(PARTS), embedding=self.embedding)

    def train_set(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Numbers of words (n, length), the highest of which is none, and parts 0 to 9."""
        return self._sets[0]

    def test_set(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Verses that are not trained with."""
        return self._sets[1]

    def field(self) -> NDArray[np.int64]:
        """The book of each training verse, which lies in one part: such a split skews labels as real archives do."""
        books: NDArray[np.int64] = self._verses.books[self._chosen[0]]
        return books

    @cached_property
    def _verses(self) -> Verses:
        return Verses.read(self.vocabulary, self.length)

    @cached_property
    def _chosen(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The verses to train and to test with, by number."""
        from harness.workloads.text import divided

        return divided(len(self._verses.books), self.samples, self.evaluation_samples, every=HELD_OUT)

    @cached_property
    def _sets(self) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
        train, test = self._chosen
        return self._tensors(train), self._tensors(test)

    def _tensors(self, verses: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        return torch.from_numpy(self._verses.codes[verses]), torch.from_numpy(self._verses.parts[verses])
