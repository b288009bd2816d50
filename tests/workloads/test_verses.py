"""Verses of ten parts of the Bible: the known counts of each, and words that are those of the text."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.datasets import king_james
from harness.datasets.verses import WORD
from harness.workloads.verses import PARTS, Verses, VersesBag
from tests.workloads.training import scores_after

torch = pytest.importorskip("torch", reason="needs the extra torch")

SMALL = VersesBag(vocabulary=1000, samples=4000, evaluation_samples=1000)
# As any concordance counts them.
VERSES = {"law": 5852, "gospels": 3779, "acts": 1007, "letters of Paul": 2033, "revelation": 404}


def test_parts_have_as_many_verses_as_known_and_books_lie_in_one_each() -> None:
    verses = Verses.read(1000, 48)
    counts = dict(zip(PARTS, np.bincount(verses.parts).tolist(), strict=True))
    assert counts.items() >= VERSES.items()
    assert sum(counts.values()) == 31_102
    assert sum(PARTS.values()) == len(set(zip(verses.books.tolist(), verses.parts.tolist(), strict=True))) == 66


def test_words_are_those_of_the_verse_and_the_rest_is_none() -> None:
    verses = Verses.read(10**6, 48)
    for number in range(0, 31_102, 997):
        words = WORD.findall(king_james()[number].text)[:48]
        row = verses.codes[number]
        assert (row[len(words) :] == verses.words).all()
        again = dict(zip(row[: len(words)].tolist(), words, strict=True))
        assert [again[code] for code in row[: len(words)].tolist()] == words
        assert len(again) == len(set(words))


def test_no_verse_is_both_trained_and_tested_with() -> None:
    train, test = (set(part.tolist()) for part in VersesBag()._chosen)
    assert not train & test
    assert len(train) + len(test) == 31_102


def test_the_model_is_a_mean_of_embeddings_and_a_dense_layer() -> None:
    model = SMALL.initial_model(3)
    inputs = SMALL.train_set()[0][:7]
    embeddings, weight, bias = (parameter.detach().double() for parameter in model.parameters())
    assert embeddings.shape == (Verses.read(1000, 48).words + 1, 16)
    for row, scores in zip(inputs, model(inputs), strict=True):
        words = [embeddings[code] for code in row.tolist() if code != len(embeddings) - 1]
        torch.testing.assert_close(scores.double(), weight @ torch.stack(words).mean(0) + bias, rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=15)
@given(places=st.integers(2, 10), degree=st.floats(0, 1), seed=st.integers(0, 99))
def test_a_share_of_the_verses_goes_where_their_part_does(places: int, degree: float, seed: int) -> None:
    workload = SMALL.model_copy(update={"partitions": places, "split": "label", "degree": degree, "batch_size": places})
    parts = workload.partition(seed)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(4000))
    labels = SMALL.train_set()[1].numpy()
    home = sum((labels[part] % places == place).sum() for place, part in enumerate(parts))
    assert home / 4000 == pytest.approx(degree + (1 - degree) / places, abs=0.06)


def test_a_split_by_book_keeps_books_together_and_so_skews_parts() -> None:
    workload = VersesBag(split="field", partitions=5)
    books = [set(workload.field()[part].tolist()) for part in workload.partition(0)]
    assert sorted(chain(*books)) == list(range(66))
    labels = workload.train_set()[1].numpy()
    shares = np.array([np.bincount(labels[part], minlength=10) for part in workload.partition(0)])
    even = VersesBag(partitions=5)
    like = np.array([np.bincount(labels[part], minlength=10) for part in even.partition(0)])
    assert (shares / shares.sum(0)).max(0).mean() > 2 * (like / like.sum(0)).max(0).mean()


def test_parts_are_told_apart_far_better_than_by_the_most_frequent() -> None:
    _, accuracy = scores_after(SMALL, 8)
    most = float(np.bincount(SMALL.test_set()[1].numpy()).max()) / 1000
    assert accuracy > most + 0.1
