"""The next character or word of the King James Bible: an LSTM language model on real text."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PositiveFloat, PositiveInt

from harness.datasets.verses import Unit
from harness.workloads.training import TrainingWorkload

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from harness.datasets import Tokens

HELD_OUT = 10  # every tenth sequence, so that all books are in both sets


class TextLstm(TrainingWorkload):
    """Next-token prediction on the King James Bible with LSTM layers; ``loss`` is in nats a token."""

    name: ClassVar[str] = "text-lstm"

    tokens: Unit = Field("characters", description="what the text is cut into")
    vocabulary: PositiveInt = Field(4000, description="most frequent tokens; the others are all one")
    length: PositiveInt = Field(32, description="tokens a sequence")
    embedding: PositiveInt = Field(64, description="numbers that stand for a token")
    hidden: PositiveInt = Field(192, description="width of each LSTM layer")
    layers: PositiveInt = Field(2, description="LSTM layers")
    rate: PositiveFloat = Field(0.5, description="step size")
    samples: PositiveInt = Field(20_000, description="sequences to train with, evenly over the text; at most all")
    evaluation_samples: PositiveInt = Field(1_000, description="sequences to test with, evenly; at most all")

    def model(self) -> torch.nn.Module:
        """An embedding, LSTM layers and a score for each token, (n, t) -> (n, vocabulary, t)."""
        from harness.workloads.nets import language_model

        size = len(self._text.vocabulary)
        return language_model(size, embedding=self.embedding, hidden=self.hidden, layers=self.layers)

    def train_set(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Sequences (n, t) of token numbers, and the same one place on."""
        return self._sets[0]

    def test_set(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Sequences that are not trained with."""
        return self._sets[1]

    def field(self) -> NDArray[np.int64]:
        """The book that each training sequence begins in."""
        books: NDArray[np.int64] = self._text.books[self._chosen[0] * self.length]
        return books

    @cached_property
    def _text(self) -> Tokens:
        from harness.datasets import king_james_tokens

        return king_james_tokens(self.tokens, self.vocabulary)

    @cached_property
    def _chosen(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The sequences to train and to test with, as numbers of sequences; the last has a token after it."""
        return divided((len(self._text) - 1) // self.length, self.samples, self.evaluation_samples, every=HELD_OUT)

    @cached_property
    def _sets(self) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
        train, test = self._chosen
        return self._tensors(train), self._tensors(test)

    def _tensors(self, sequences: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        import numpy as np
        import torch

        places = sequences[:, None] * self.length + np.arange(self.length)
        return torch.from_numpy(self._text.codes[places]), torch.from_numpy(self._text.codes[places + 1])


def divided(
    count: int, samples: int, evaluation_samples: int, *, every: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """At most so many numbers below ``count`` to train with and to test with; one in ``every`` is held out."""
    import numpy as np

    numbers = np.arange(count)
    held_out = numbers % every == every - 1
    return spread(numbers[~held_out], samples), spread(numbers[held_out], evaluation_samples)


def spread(numbers: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most so many of them, evenly spaced."""
    import numpy as np

    count = min(most, len(numbers))
    return numbers[np.arange(count) * len(numbers) // count]
