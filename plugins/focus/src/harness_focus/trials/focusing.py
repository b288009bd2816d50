"""Focus in a cell: parameters chosen on labelled parts of the stream, the whole stream indexed, queries asked cold.

Objects come from the footage, as for every method: what finding them costs is measured apart, and charged.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from harness_focus.index.reading import Index
from harness_focus.index.recording import Recorder
from harness_focus.ingest.indexing import Indexing, Settings
from harness_focus.query.query import Query, hits
from harness_focus.trials.costs import Metered, charged
from harness_focus.trials.trial import Recalled, Shown, Trial
from harness_focus.tuning.tuning import tune
from harness_focus.video.motion import Box

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness_focus.footage.footage import Footage
    from harness_focus.networks import CheapNetwork
    from harness_focus.trials.trial import Answer
    from harness_focus.tuning.selection import Policy
    from harness_focus.tuning.tuning import Tuned
    from harness_focus.video.reading import Image


def answer(trial: Trial, policy: Policy) -> None:
    """Choose parameters, index, and query."""
    trace = trial.trace
    expert = Shown(trial.footage, trial.expert)
    with charged(trace, "training"):
        tuned = tune(trial.footage, expert, policy=policy, seed=trial.job.seed)
    trace.count("calibration_calls", tuned.calls)
    trace.fact("front", described(tuned))
    queried(trial, indexed(trial, tuned.network, tuned.settings))


def described(tuned: Tuned) -> dict[str, object]:
    """The front as JSON; costs are calls of the expensive network, at ingest for the whole stream."""
    points = [
        {
            "setting": f"network {p.setting.network}, T {p.setting.threshold:g}, K {p.setting.k}",
            "ingest": p.ingest,
            "query": p.query,
            "precision": p.precision,
            "recall": p.recall,
            "sure": p.sure,
            "taken": p == tuned.chosen,
        }
        for p in tuned.front.points
    ]
    return {"met": tuned.front.met, "points": points, "network": tuned.network.identity}


def indexed(trial: Trial, network: CheapNetwork, settings: Settings) -> Index:
    """Index the whole stream into a file in the cell's folder."""
    path = trial.job.folder / "index.sqlite"
    metered = Metered(network, trial.trace, trial.footage.crops)
    made_with = {**asdict(settings), "network": network.identity}
    source = str(trial.job.workload.video(trial.job.seed))
    with charged(trial.trace, "indexing"):
        recorder = Recorder.at(path, source=source, classes=network.classes, settings=made_with)
        indexing = Indexing(metered, recorder, settings)
        for number, (seconds, objects) in enumerate(_frames(trial.footage)):
            indexing.look(number, seconds, objects)
        indexing.commit()
        recorder.close()
    trial.trace.count("index_bytes", path.stat().st_size)
    return Index(path)


def _frames(footage: Footage) -> Iterator[tuple[float, Sequence[tuple[Box, Image]]]]:
    """The time and the objects of each frame."""
    starts = np.searchsorted(footage.frames, np.arange(len(footage.frame_seconds) + 1)).tolist()
    for seconds, (first, last) in zip(footage.frame_seconds.tolist(), pairwise(starts), strict=True):
        yield seconds, [(Box(*footage.boxes[n].tolist()), footage.crops[n]) for n in range(first, last)]


def queried(trial: Trial, index: Index) -> None:
    """Ask for each dominant class; no query gains from the verdicts of another."""
    k = int(index.settings["k"])

    def ask(label: int) -> Answer:
        name = trial.footage.classes[label]
        expert = Recalled(trial.footage, trial.expert.identity, f"asked for {name}")
        with charged(trial.trace, "query"):
            found = [frame for hit in hits(index, Query(name, k), expert) for frame, _ in hit.frames]
        return np.unique(np.array(found, dtype=np.int64)), expert.calls

    trial.ask(ask)
