"""tomotopy's sampler on Orion's topics: its counts are counts of the same tokens."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tomotopy", reason="needs the extra tomotopy")
pytest.importorskip("harness_orion", reason="needs the extra tomotopy")

from harness import devices
from harness_orion.applications.topics import Text
from harness_orion.workloads import LdaGibbs, MfSgd
from harness_peers.tomotopy import TomotopyLda
from harness_peers.tomotopy_running import counts, made, train


class Small:
    """What the peer asks a workload for."""

    topics, alpha, beta = 3, 0.1, 0.01

    def text(self) -> Text:
        rng = np.random.default_rng(0)
        documents = np.sort(rng.integers(0, 8, 500))
        return Text(documents, (documents // 4) * 10 + rng.integers(0, 10, 500), (8, 20))


@pytest.mark.parametrize("workers", [1, 2])
def test_its_counts_are_of_every_token_and_follow_the_documents_words(workers: int) -> None:
    small = Small()
    model, text = made(small, seed=1), small.text()
    train(model, TomotopyLda(workers=workers), 30)
    documents, words = counts(model, text)
    assert documents.sum(axis=1).tolist() == np.bincount(text.documents, minlength=8).tolist()
    assert words.sum(axis=1).tolist() == np.bincount(text.words, minlength=20).tolist()
    assert documents.sum(axis=0).tolist() == words.sum(axis=0).tolist()


def test_what_is_no_topic_model_is_refused() -> None:
    assert "lda" in TomotopyLda().refuses(MfSgd(), devices.Cpu())
    assert "threads" in TomotopyLda().refuses(LdaGibbs(), devices.Processes())
