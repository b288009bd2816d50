"""LDA by collapsed Gibbs sampling (Griffiths and Steyvers, PNAS 2004): each token draws its topic again.

Counts of a document's topics and of a word's topics follow the two indices of the loop. The totals of
the topics follow neither: their changes go through a buffer, as in Orion's paper, so that a worker reads
them a little late.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness_orion.arrays import DistArray, DistArrayBuffer
from harness_orion.space import Entries

MULTIPLIER, MODULUS = 16807, 2**31 - 1  # Park and Miller, CACM 1988
PAIRS_AT_ONCE = 20_000


def gibbs(key, val, documents, words, totals, changes, alpha, beta, mass):  # type: ignore[no-untyped-def]
    """Draw one token's topic; ``val`` is the topic and the state of the token's random numbers."""
    d, w = key
    old = val[0]
    documents[d, old] -= 1
    words[w, old] -= 1
    changes[old] -= 1
    weights = (documents[d] + alpha) * (words[w] + beta) / (totals + mass)
    ends = weights.cumsum()
    val[1] = val[1] * 16807 % 2147483647
    new = (ends < ends[-1] * np.float32(val[1] / 2147483647)).sum()
    val[0] = new
    documents[d, new] += 1
    words[w, new] += 1
    changes[new] += 1


@dataclass(frozen=True, eq=False)
class Text:
    """Documents as tokens: which document and word each is, (n,)."""

    documents: NDArray[np.int64]
    words: NDArray[np.int64]
    shape: tuple[int, int]

    def __len__(self) -> int:
        return len(self.words)


@cache
def news() -> Text:
    """The Reuters stories."""
    from harness.datasets import reuters

    corpus = reuters()
    documents = np.repeat(np.arange(len(corpus)), np.diff(corpus.starts))
    shape = (len(corpus), len(corpus.vocabulary))
    return Text(np.repeat(documents, corpus.counts), np.repeat(corpus.terms, corpus.counts).astype(np.int64), shape)


def space(text: Text, topics: int, seed: int) -> Entries:
    """The tokens, shuffled, with random topics and states."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    order = rng.permutation(len(text))
    values = np.stack([rng.integers(topics, size=len(text)), rng.integers(1, MODULUS, size=len(text))], axis=1)
    return Entries.of([text.documents[order], text.words[order]], values.astype(np.int64), shape=text.shape)


def arrays(tokens: Entries, topics: int, *, alpha: float, beta: float) -> tuple[Any, ...]:
    """The arguments of ``gibbs``: counts of the topics that the tokens have now."""
    documents, words = (np.zeros((extent, topics), np.float32) for extent in tokens.shape)
    for counts, index in zip((documents, words), tokens.indices, strict=True):
        np.add.at(counts, (index, tokens.values[:, 0]), 1)
    totals = DistArray(documents.sum(axis=0))
    priors = (np.float32(alpha), np.float32(beta), np.float32(beta * tokens.shape[1]))
    return DistArray(documents), DistArray(words), totals, DistArrayBuffer(totals), *priors


def log_likelihood(text: Text, documents: NDArray[Any], words: NDArray[Any], *, alpha: float, beta: float) -> float:
    """The mean log probability of a token, by the topics' shares of its document and the words' shares of topics."""
    shares = documents + alpha
    shares = shares / shares.sum(axis=1, keepdims=True)
    terms = words + beta
    return _mean_log(text, shares, terms / terms.sum(axis=0))


def _mean_log(text: Text, shares: NDArray[Any], terms: NDArray[Any]) -> float:
    total = 0.0
    for start in range(0, len(text), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        likely = np.einsum("nk,nk->n", shares[text.documents[part]], terms[text.words[part]])
        total += float(np.log(likely).sum(dtype=np.float64))
    return total / len(text)
