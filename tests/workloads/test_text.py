"""The language model: sequences of the real text, and a loss below what token frequencies alone allow."""

from __future__ import annotations

import math
from collections import Counter
from itertools import chain

import pytest

from harness.datasets import king_james, king_james_tokens
from harness.errors import HarnessError
from harness.workloads.text import TextLstm
from tests.workloads.training import scores_after

torch = pytest.importorskip("torch", reason="needs the extra torch")

SMALL = TextLstm(length=16, embedding=24, hidden=48, samples=4000, evaluation_samples=400)


def test_parameters_are_those_of_the_closed_form() -> None:
    vocabulary, e, h = len(king_james_tokens().vocabulary), 24, 48
    lstm = sum(4 * h * (inputs + h + 2) for inputs in (e, h, h))
    model = SMALL.model_copy(update={"layers": 3}).initial_model(0)
    assert sum(p.numel() for p in model.parameters()) == vocabulary * e + lstm + (h + 1) * vocabulary


def test_each_layer_gives_one_tensor_and_the_last_a_score_for_each_token_and_place() -> None:
    value = SMALL.train_set()[0][:5]
    for layer in SMALL.initial_model(0):
        value = layer(value)
        assert isinstance(value, torch.Tensor)
    assert value.shape == (5, len(king_james_tokens().vocabulary), 16)


def test_sequences_are_pieces_of_the_text_and_targets_one_place_on() -> None:
    text = "".join(f"{verse.text}\n" for verse in king_james())
    vocabulary = king_james_tokens().vocabulary
    for inputs, targets in (SMALL.train_set(), SMALL.test_set()):
        assert inputs.shape == targets.shape
        for row, following in zip(inputs[::97].tolist(), targets[::97].tolist(), strict=True):
            assert row[1:] == following[:-1]
            assert "".join(vocabulary[token] for token in [*row, following[-1]]) in text


def test_no_sequence_is_both_trained_and_tested_with() -> None:
    chosen = [set(part.tolist()) for part in TextLstm(samples=10**9, evaluation_samples=10**9)._chosen]
    assert not chosen[0] & chosen[1]
    assert len(chosen[0]) == pytest.approx(9 * len(chosen[1]), rel=0.01)


def test_a_split_by_field_keeps_books_together() -> None:
    workload = SMALL.model_copy(update={"split": "field", "partitions": 6, "batch_size": 60})
    books = [set(workload.field()[part].tolist()) for part in workload.partition(0)]
    assert sorted(chain(*books)) == sorted(set(workload.field().tolist()))
    assert len(set(workload.field().tolist())) == 66


def test_sequences_have_no_one_label_to_split_by() -> None:
    with pytest.raises(HarnessError, match="use even or field"):
        SMALL.model_copy(update={"split": "label"}).partition(0)


def test_words_beyond_the_vocabulary_are_one_token() -> None:
    workload = TextLstm(tokens="words", vocabulary=500, samples=200)
    inputs = workload.train_set()[0]
    assert int(inputs.max()) == 500
    rare = float((king_james_tokens("words", 500).codes == 500).mean())
    assert 0.05 < rare < 0.25


def unigram_entropy(targets: list[int]) -> float:
    """The least loss, in nats, of whoever knows how frequent each token is and nothing else."""
    counts = Counter(targets)
    return -sum(count / len(targets) * math.log(count / len(targets)) for count in counts.values())


def test_the_model_learns_more_than_how_frequent_tokens_are() -> None:
    loss, accuracy = scores_after(SMALL, 4)
    assert loss < unigram_entropy(SMALL.test_set()[1].flatten().tolist()) - 0.2
    assert accuracy > 0.25, "always a space has 0.19"
