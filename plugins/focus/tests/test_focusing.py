"""Focus over a whole stream in a cell: what must hold for any network and any setting."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scenes import Cheap
from squares import Squares

from harness import Budget, Job, Trace, TraceWriter
from harness.devices import Cpu
from harness.tracefile import merge
from harness_focus.ingest.indexing import Settings
from harness_focus.metrics import IngestCalls, Precision, QueryCalls, Recall
from harness_focus.trials.focusing import indexed, queried
from harness_focus.trials.trial import Trial

EXACT = Settings(k=4, threshold=0.0, differencing=0.0)
THRIFTY = Settings(k=2, threshold=0.2, differencing=6.0)


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Squares:
    folder = tmp_path_factory.mktemp("squares")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_DATA", str(folder))
        yield Squares(folder=folder, frames=800, squares=40)


class Unable:
    """An expensive network that must not be called."""

    identity = "none"
    classes = Cheap.classes

    def __call__(self, crops):
        raise AssertionError("the expensive network was called")


def ran(squares: Squares, folder: Path, settings: Settings, shuffled: bool = False) -> tuple[Trace, Trial]:
    """What indexing and querying leave; at ingest the expensive network must not be called."""
    folder.mkdir()
    trial = Trial(Job(squares, Cpu(), Budget(), 0, TraceWriter(folder), folder))
    expert, trial.expert = trial.expert, Unable()
    if shuffled:
        order = np.random.default_rng(0).permutation(len(trial.footage.crops)).tolist()
        trial.footage = replace(trial.footage, crops=[trial.footage.crops[n] for n in order])
    index = indexed(trial, Cheap(), settings)
    trial.expert = expert
    queried(trial, index)
    index.close()
    trial.trace.close()
    return Trace.read(merge(folder)), trial


def test_exact_settings_are_query_all(squares, tmp_path):
    trace, trial = ran(squares, tmp_path / "cell", EXACT)
    assert Precision().measure(trace) == Recall().measure(trace) == 1
    assert QueryCalls().measure(trace) == trace.total("cheap_calls") == len(trial.footage.labels)
    assert IngestCalls().measure(trace) == 0


def test_a_query_calls_the_expensive_network_once_for_each_of_its_candidates(squares, tmp_path):
    trace, trial = ran(squares, tmp_path / "cell", THRIFTY)
    calls = dict(zip(*(getattr(trace.counts("query_calls"), of).tolist() for of in ("step", "value")), strict=True))
    with sqlite3.connect(tmp_path / "cell" / "index.sqlite") as db:
        ranked = db.execute("SELECT class, count(DISTINCT cluster) FROM ranking GROUP BY class").fetchall()
    of_cheap = {trial.footage.classes.index(Cheap.classes[n]): count for n, count in ranked}
    expected = {query: of_cheap.get(label, 0) for query, label in enumerate(trial.asked)}
    assert calls == expected, "whatever other queries asked before"
    assert max(calls.values()) < len(trial.footage.labels) / 10
    assert trace.total("cheap_calls") < len(trial.footage.labels)


def test_the_index_holds_every_object_and_is_weighed(squares, tmp_path):
    trace, trial = ran(squares, tmp_path / "cell", THRIFTY)
    path = tmp_path / "cell" / "index.sqlite"
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM member").fetchone() == (len(trial.footage.labels),)
        assert db.execute("SELECT sum(frames) FROM second").fetchone() == (squares.frames,)
    assert 0 < trace.total("index_bytes") <= path.stat().st_size


def test_more_classes_a_cluster_are_never_fewer_calls_and_never_less_recall(squares, tmp_path):
    found = [ran(squares, tmp_path / str(k), replace(THRIFTY, k=k))[0] for k in (1, 2, 4)]
    for metric in (QueryCalls(), Recall()):
        values = [metric.measure(trace) for trace in found]
        assert values == sorted(values)


def test_crops_of_other_objects_destroy_precision_and_recall(squares, tmp_path):
    right, _ = ran(squares, tmp_path / "right", THRIFTY)
    wrong, _ = ran(squares, tmp_path / "wrong", THRIFTY, shuffled=True)
    for metric in (Precision(), Recall()):
        assert metric.measure(right) > 0.8
        assert metric.measure(wrong) < 0.6
