"""Passes of tomotopy's sampler, scored as Orion's workload scores itself."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import tomotopy  # type: ignore[import-not-found, import-untyped, unused-ignore]

from harness import Job, Worker
from harness_orion import LoopWorkload

if TYPE_CHECKING:
    from harness_orion.applications.topics import Text
    from harness_peers.tomotopy import TomotopyLda

SCHEMES = {
    "default": tomotopy.ParallelScheme.DEFAULT,
    "copy-merge": tomotopy.ParallelScheme.COPY_MERGE,
    "partition": tomotopy.ParallelScheme.PARTITION,
}


def sample(way: TomotopyLda, job: Job[LoopWorkload]) -> None:
    """Run passes until the budget is spent."""

    def main(worker: Worker) -> None:
        workload: Any = job.workload
        with worker.trace.span("prepare"):
            model = made(workload, job.seed)
        done, updates = 0, workload.updates
        worker.trace.begin()
        while not job.spent(epochs=done, steps=done):
            passes = stretch(job, done)
            with worker.work("pass", step=done):
                train(model, way, passes)
            for step in range(done + 1, done + passes + 1):
                worker.trace.count("updates", updates, step=step)
            done += passes
            with worker.trace.span("evaluate", step=done):
                scores = workload.judged(*counts(model, workload.text()))
            for name, value in scores.items():
                worker.trace.value(name, value, step=done)

    job.launch(main, 1)


def stretch(job: Job[LoopWorkload], done: int) -> int:
    """How many passes one call makes, since each call starts threads: all to an evaluation or the end."""
    if job.budget.seconds is not None:
        return 1
    every = job.workload.evaluate_every
    return int(min(every - done % every, job.budget.last_step(1.0) - done))


def train(model: Any, way: TomotopyLda, passes: int) -> None:
    """Some passes; that several threads differ from run to run is known."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The training result may differ", category=RuntimeWarning)
        model.train(passes, workers=way.workers, parallel=SCHEMES[way.scheme])


def made(workload: Any, seed: int) -> Any:
    """A model with random topics."""
    text: Text = workload.text()
    model = tomotopy.LDAModel(k=workload.topics, alpha=workload.alpha, eta=workload.beta, seed=seed)
    model.optim_interval = 0
    ends = np.flatnonzero(np.diff(text.documents)) + 1
    for words in np.split(text.words, ends):
        model.add_doc([str(word) for word in words])
    model.train(0, workers=1)
    return model


def counts(model: Any, text: Text) -> tuple[Any, Any]:
    """Tokens of each topic in each document, and of each word, (documents, topics) and (words, topics)."""
    names = np.array([int(word) for word in model.used_vocabs])
    documents, words = (np.zeros((extent, model.k)) for extent in text.shape)
    for d, document in enumerate(model.docs):
        topics = np.asarray(document.topics)
        np.add.at(documents[d], topics, 1)
        np.add.at(words, (names[np.asarray(document.words)], topics), 1)
    return documents, words
