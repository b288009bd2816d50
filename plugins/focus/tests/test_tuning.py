"""Specialised networks, and the choice among settings, on squares that cross."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sampled import calibration_sample
from scenes import Cheap, Expensive
from squares import Squares

from harness import HarnessError
from harness_focus.footage.footage import TEST, TRAINING, Footage
from harness_focus.footage.scoring import dominant
from harness_focus.index.reading import Index
from harness_focus.ingest.indexing import Settings
from harness_focus.ingest.ingest import begin
from harness_focus.networks import OTHER
from harness_focus.networks.specialised import Architecture, Specialised
from harness_focus.networks.teaching import frequent, specialise
from harness_focus.tuning.clustered import clustered
from harness_focus.tuning.tuning import Grid, Search, embedded, tune
from harness_focus.video.reading import Video

GRID = Grid(architectures=(Architecture(32, 0),), thresholds=(0.0, 0.1, 0.3), ks=(1, 2, 5), steps=60)


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Squares]:
    folder = tmp_path_factory.mktemp("squares")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_DATA", str(folder))
        yield Squares(folder=folder)


@pytest.fixture(scope="module")
def footage(squares: Squares) -> Footage:
    return squares.footage(0)


@pytest.fixture(scope="module")
def searched(footage: Footage) -> tuple[Search, Expensive]:
    expert = Expensive()
    return Search(footage, expert, seed=0, grid=GRID), expert


def test_without_clusters_and_with_every_class_answers_are_exact(footage, searched):
    search, _ = searched
    exact = max((s for s in search.scored if s.setting.threshold == 0), key=lambda s: s.setting.k)
    assert exact.setting.k == len(search.networks[0].classes)
    assert exact.precision == exact.recall == 1
    assert exact.query == len(footage.labels)


def test_more_classes_in_the_index_never_mean_fewer_candidates(searched):
    scored = {s.setting: s for s in searched[0].scored}
    for setting, one in scored.items():
        more = [s for s in scored if s.threshold == setting.threshold and s.k > setting.k]
        assert all(scored[s].query >= one.query and scored[s].recall >= one.recall for s in more)


def test_calls_are_the_calibration_sample_exactly(footage, searched):
    search, expert = searched
    sample = calibration_sample(footage, search)
    assert search.tuned("balance").calls == len(sample)
    kept = int((footage.parts[footage.seconds.astype(int)] != TEST).sum())
    assert expert.calls - 1 == len(sample) - kept, "none is asked about twice; one call counted multiply-adds"


def test_labels_of_the_test_part_choose_nothing(footage, searched):
    labels, test = footage.labels.copy(), footage.within(TEST)
    labels[test] = np.random.default_rng(0).permutation(labels[test])
    again = Search(replace(footage, labels=labels), Expensive(), seed=0, grid=GRID)
    assert again.scored == searched[0].scored
    assert [n.identity for n in again.networks] == [n.identity for n in searched[0].networks]


def test_crops_that_change_places_spoil_the_answers(footage, searched):
    search, _ = searched
    order = np.random.default_rng(0).permutation(len(footage.crops))
    spoiled = replace(footage, crops=[footage.crops[n] for n in order])
    best = max(s.sure for s in search.scored if s.setting.threshold)
    found = Search(spoiled, Expensive(), seed=0, grid=replace(GRID, thresholds=(0.1, 0.3)))
    assert max(min(s.precision, s.recall) for s in found.scored) < best


def test_a_saved_network_says_the_same_and_is_named_by_content(footage, searched, tmp_path):
    network, crops = searched[0].networks[0], footage.crops[:20]
    path = network.save(tmp_path)
    again = Specialised.load(path)
    assert (again.identity, again.classes) == (network.identity, network.classes)
    for one, other in zip(again(crops), network(crops), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.save(tmp_path) == path
    features, probabilities = network(crops)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)


def test_what_is_no_network_is_refused(tmp_path):
    path = tmp_path / "nothing.pt"
    path.write_bytes(b"nothing")
    with pytest.raises(HarnessError, match="no specialised network"):
        Specialised.load(path)


def test_classes_are_capped_at_what_training_shows():
    assert frequent(np.array([4, 4, 1, 1, 1, 6]), 2) == [1, 4]
    assert frequent(np.array([4, 4, 1, 1, 1, 6]), 20) == [1, 4, 6]


def test_what_the_expensive_network_does_not_know_is_no_class_to_teach_or_to_ask_for(footage):
    classes = tuple(OTHER if name == "red" else name for name in footage.classes)
    unsure = replace(footage, classes=classes)
    mine = unsure.within(TRAINING)
    crops = [unsure.crops[n] for n in mine.tolist()]
    network = specialise(crops, unsure.labels[mine], classes, Architecture(32, 0), most=20, steps=1, seed=0)
    assert network.classes.count(OTHER) == 1
    assert network.classes[-1] == OTHER
    assert classes.index(OTHER) in unsure.labels
    assert classes.index(OTHER) not in dominant(unsure.named(unsure.labels), 1.0)


def test_a_stream_too_short_to_choose_on_is_refused(footage):
    empty = replace(footage, parts=np.full_like(footage.parts, TEST))
    with pytest.raises(HarnessError, match="nothing to train on"):
        tune(empty, Expensive(), seed=0)


def test_clusters_made_beforehand_are_those_of_ingest(squares: Squares, footage: Footage, tmp_path: Path):
    network = Cheap()
    ingest = begin(
        tmp_path / "index.db", "squares", network, Settings(threshold=0.15, k=2, active=5, differencing=0.0, whole=True)
    )
    segments = list(ingest.run(Video(str(squares.video(0))).frames()))
    assert sum(segment.counts["objects"] for segment in segments) == len(footage.labels)
    beforehand = clustered(*embedded(network, footage), network.classes, threshold=0.15, active=5)
    index = Index(tmp_path / "index.db")
    for label in network.classes:
        found = {candidate.cluster for candidate in index.candidates(label, k=2)}
        assert found == set(beforehand.candidates(label, 2).tolist())
        for cluster in found:
            frames = {frame for frame, _ in index.frames(cluster)}
            assert frames == set(footage.frames[beforehand.members(np.array([cluster]))].tolist())


def test_a_class_that_no_network_stands_for_has_no_candidates(footage):
    index = clustered(*embedded(Cheap(), footage), Cheap.classes, threshold=0.15)
    assert len(index.candidates("violet", 4)) == 0
