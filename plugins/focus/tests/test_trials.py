"""The judge of answers, and the baselines whose answers and costs are known beforehand."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from sampled import calibration_sample
from scenes import Expensive
from squares import Squares

from harness import Budget, HarnessError, Job, Trace, TraceWriter
from harness.devices import Cpu
from harness.testing import run_job
from harness.tracefile import merge
from harness_focus.footage.footage import TEST
from harness_focus.footage.scoring import dominant
from harness_focus.metrics import CallSeconds, IngestCalls, IngestCost, Precision, QueryCalls, QueryLatency, Recall
from harness_focus.networks.specialised import Architecture
from harness_focus.parallelizers import Focus, IngestAll, NoScope, QueryAll
from harness_focus.trials.costs import measure_expert
from harness_focus.trials.trial import Recalled, Trial
from harness_focus.tuning import tuning


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Squares:
    folder = tmp_path_factory.mktemp("squares")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_DATA", str(folder))
        yield Squares(folder=folder)


def seconds_scored(footage, label: int, frames: set[int]) -> tuple[int, int, int]:
    """Right, wrong and missed seconds of the test part, by plain counting."""
    frames_in, truly, found, labels = Counter(), defaultdict(set), defaultdict(set), defaultdict(set)
    for frame, of in zip(footage.frames.tolist(), footage.labels.tolist(), strict=True):
        labels[frame].add(of)
    for frame, seconds in enumerate(footage.frame_seconds.tolist()):
        frames_in[int(seconds)] += 1
        if label in labels[frame]:
            truly[int(seconds)].add(frame)
        if frame in frames:
            found[int(seconds)].add(frame)
    outcomes = Counter()
    for second, count in frames_in.items():
        if footage.parts[second] == TEST:
            shown, returned = (2 * len(of[second]) >= count for of in (truly, found))
            outcomes["right" if shown and returned else "wrong" if returned else "missed" if shown else "neither"] += 1
    return outcomes["right"], outcomes["wrong"], outcomes["missed"]


def by_query(trace: Trace, name: str) -> dict[int, float]:
    found = trace.counts(name)
    return dict(zip(found.step.tolist(), found.value.tolist(), strict=True))


@pytest.mark.parametrize(("way", "ingest", "query"), [(IngestAll(), 1, 0), (QueryAll(), 0, 1)])
def test_the_expensive_network_on_everything_is_right_at_a_known_price(way, ingest, query, squares, tmp_path):
    trace = run_job(way, squares, tmp_path / "cell")
    objects = len(squares.footage(0).labels)
    assert Precision().measure(trace) == Recall().measure(trace) == 1
    assert QueryCalls().measure(trace) == query * objects
    assert IngestCalls().measure(trace) == ingest * objects
    call = trace.spans("expert_timing").value.sum() / trace.total("expert_timed")
    assert QueryLatency().measure(trace) == pytest.approx(query * objects * call)
    assert IngestCost().measure(trace) == pytest.approx(ingest * objects * call)
    camera = trace.spans("camera").value.sum() / trace.total("camera_frames") * squares.frames
    assert IngestCost(accounting="machine").measure(trace) == pytest.approx(ingest * objects * call + camera)


def test_calls_and_frames_are_timed_on_as_many_as_promised(squares, tmp_path):
    trace = run_job(QueryAll(), squares, tmp_path / "cell")
    assert trace.total("expert_timed") == min(512, len(squares.footage(0).labels))
    assert trace.total("camera_frames") == 1000


def test_counted_seconds_agree_with_a_second_computation(squares, tmp_path):
    trial = Trial(Job(squares, Cpu(), Budget(), 0, TraceWriter(tmp_path), tmp_path))
    rng, answers = np.random.default_rng(1), {}
    for label in trial.asked:
        truth = trial.labelled(label)
        kept = rng.random(len(truth)) < 0.7
        answers[label] = np.unique([*truth[kept], *rng.integers(0, squares.frames, 300)])
    trial.ask(lambda label: (answers[label], 0))
    trial.trace.close()
    trace = Trace.read(merge(tmp_path))
    counted = [by_query(trace, name) for name in ("right", "wrong", "missed")]
    found = {label: tuple(of[query] for of in counted) for query, label in enumerate(answers)}
    assert found == {label: seconds_scored(trial.footage, label, set(f.tolist())) for label, f in answers.items()}
    assert any(wrong and missed for _, wrong, missed in found.values()), "the answers were spoiled"


def test_a_budget_of_steps_ends_the_queries(squares, tmp_path):
    assert len(run_job(QueryAll(), squares, tmp_path / "cell", steps=2).counts("query_calls")) == 2


def test_dominant_classes_are_the_fewest_that_make_up_the_share():
    labels = np.repeat([3, 0, 1, 7], [50, 30, 15, 5])
    assert dominant(labels) == [3, 0, 1]
    assert dominant(labels, 0.96) == [3, 0, 1, 7]
    assert dominant(labels, 0.5) == [3]


def test_labels_are_recalled_by_pixels_alone(squares):
    footage = squares.footage(0)
    recalled = Recalled(footage, "expert", "a test")
    some = [5, 0, 17]
    assert recalled([footage.crops[n].copy() for n in some]) == [footage.classes[footage.labels[n]] for n in some]
    assert recalled.calls == 3
    with pytest.raises(KeyError):
        recalled([np.zeros((3, 3, 3), np.uint8)])


class Contrary(Expensive):
    """Has changed its mind on every object."""

    def __call__(self, crops):
        return [next(name for name in self.classes if name != label) for label in super().__call__(crops)]


def test_stored_labels_that_are_the_networks_no_more_are_refused(squares, tmp_path):
    footage, rng = squares.footage(0), np.random.default_rng(0)
    with pytest.raises(HarnessError, match=r"stored labels are not what colours, better says"):
        measure_expert(TraceWriter(), Contrary(), footage, rng)


def test_focus_chooses_indexes_and_answers_in_one_cell(squares, tmp_path, monkeypatch):
    grid = tuning.Grid(architectures=(Architecture(32, 0),), thresholds=(0.0, 0.1, 0.3), ks=(1, 5), steps=60)
    monkeypatch.setattr(tuning, "Grid", lambda: grid)
    trace = run_job(Focus(), squares, tmp_path / "cell")
    footage = squares.footage(0)
    sample = calibration_sample(footage, tuning.Search(footage, Expensive(), seed=0, grid=grid))
    calls, call = IngestCalls().measure(trace), CallSeconds().measure(trace)
    assert calls == len(sample) < len(footage.labels)
    machine, everything = (IngestCost(accounting=which).measure(trace) for which in ("machine", "all"))
    assert everything - machine == pytest.approx(calls * call + trace.spans("training").value.sum())
    assert trace.total("cheap_calls") == len(footage.labels)
    assert min(Precision().measure(trace), Recall().measure(trace)) > 0.9
    assert QueryCalls().measure(trace) < len(footage.labels) / 2
    (taken,) = (point for point in trace.fact("front")["points"] if point["taken"])
    assert taken["setting"].startswith("network 0, T ")


def test_noscope_meets_its_target_where_colours_tell_classes_apart(squares, tmp_path):
    trace = run_job(NoScope(side=32), squares, tmp_path / "cell")
    assert Precision().measure(trace) > 0.9
    assert Recall().measure(trace) > 0.9
    assert QueryCalls().measure(trace) < len(squares.footage(0).labels) / 2
    assert QueryLatency(training=True).measure(trace) > QueryLatency().measure(trace)
