import sqlite3

import pytest
from scenes import COLOURS, Cheap, Expensive, colour_of, scene

from harness import HarnessError
from harness_focus.index.reading import Index
from harness_focus.ingest.indexing import Settings
from harness_focus.ingest.ingest import begin
from harness_focus.ingest.renewing import RenewedMotion
from harness_focus.query.query import Query, hits

EXACT = Settings(k=4, threshold=0.0, differencing=0.0, segment_seconds=2.0, area=100)


def ingested(path, settings=EXACT, cheap=None):
    ingest = begin(path, "scene 0", cheap or Cheap(), settings)
    segments = list(ingest.run(frame for frame, _ in scene(0)))
    return Index(path), segments


def objects_of(frames, settings):
    """The frame and the picture of everything that moves."""
    motion = RenewedMotion(settings)
    return [(f.number, box.of(f.image)) for f in frames for box in motion.boxes(f.number, f.image)]


def frames_of(index, label, **options):
    expensive = Expensive()
    query = Query(label, **{"k": 4, **options})
    found = {frame for hit in hits(index, query, expensive) for frame, _ in hit.frames}
    return found, expensive.calls


def test_exact_settings_answer_as_the_expensive_network_on_every_object(tmp_path):
    index, _ = ingested(tmp_path / "a.sqlite")
    truth = {name: set() for name in COLOURS}
    objects = objects_of((frame for frame, _ in scene(0)), EXACT)
    for number, crop in objects:
        truth[colour_of(crop)].add(number)
    answers = {name: frames_of(index, name) for name in COLOURS}
    assert {name: found for name, (found, _) in answers.items()} == truth
    assert [calls for _, calls in answers.values()] == [len(objects), 0, 0, 0], "verdicts are of any class, and kept"


def test_a_class_that_never_was_has_no_frames(tmp_path):
    frames = [frame for frame, _ in scene(0, squares=3)]
    seen = {colour_of(crop) for _, crop in objects_of(frames, EXACT)}
    list(begin(tmp_path / "a.sqlite", "three squares", Cheap(), EXACT).run(frames))
    absent = next(name for name in COLOURS if name not in seen)
    assert frames_of(Index(tmp_path / "a.sqlite"), absent)[0] == set()


def test_clusters_and_differencing_save_calls_and_keep_every_object(tmp_path):
    cheap, thrifty = Cheap(), Settings(k=2, threshold=0.2, differencing=12.0, segment_seconds=2.0, area=100)
    index, segments = ingested(tmp_path / "a.sqlite", thrifty, cheap=cheap)
    objects = len(objects_of((frame for frame, _ in scene(0)), thrifty))
    with sqlite3.connect(index.path) as db:
        assert db.execute("SELECT count(*) FROM member").fetchone() == (objects,)
        assert db.execute("SELECT sum(size) FROM cluster").fetchone() == (objects,)
        clusters = db.execute("SELECT count(*) FROM cluster").fetchone()[0]
    assert cheap.calls == sum(s.counts["calls"] for s in segments) < objects
    _, calls = frames_of(index, "red", k=2)
    assert calls <= clusters < objects / 4


def test_more_classes_a_cluster_are_never_fewer_candidates(tmp_path):
    index, _ = ingested(tmp_path / "a.sqlite", Settings(k=4, threshold=0.1, segment_seconds=2.0, area=100))
    for name in COLOURS:
        counts = [len(index.candidates(name, k=k)) for k in range(1, 5)]
        assert counts == sorted(counts)


def test_a_time_range_is_that_part_of_the_whole_answer(tmp_path):
    index, _ = ingested(tmp_path / "a.sqlite")
    whole, _ = frames_of(index, "red")
    part, _ = frames_of(index, "red", since=3.0, until=7.0)
    assert part == {frame for frame in whole if 30 <= frame < 70}


def test_asking_again_in_a_new_index_object_costs_nothing(tmp_path):
    index, _ = ingested(tmp_path / "a.sqlite")
    first, _ = frames_of(index, "blue")
    index.close()
    assert frames_of(Index(tmp_path / "a.sqlite"), "blue") == (first, 0)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (Query("rad", k=1), "unknown class 'rad'; did you mean 'red'"),
        (Query("red", k=5), "K must be from 1 to 4"),
        (Query("red", k=1, since=100.0), "outside what was ingested: 0 to 11.9 s"),
        (Query("red", k=1, since=5.0, until=5.0), "outside what was ingested"),
    ],
)
def test_a_bad_query_says_what_would_be_right(tmp_path, query, says):
    index, _ = ingested(tmp_path / "a.sqlite")
    with pytest.raises(HarnessError, match=says):
        list(hits(index, query, Expensive()))


def test_a_class_that_the_index_can_never_answer_for_is_refused(tmp_path):
    index, _ = ingested(tmp_path / "a.sqlite")

    class Wider(Expensive):
        classes = (*COLOURS, "violet")

    with pytest.raises(HarnessError, match="unknown class 'violet'"):
        list(hits(index, Query("violet", k=1), Wider()))


def test_what_is_no_index_is_refused(tmp_path):
    (tmp_path / "text").write_text("no database " * 1000)
    (tmp_path / "empty").touch()
    for name in ("text", "empty", "absent"):
        with pytest.raises(HarnessError, match=name):
            Index(tmp_path / name)


def test_other_settings_do_not_go_on_with_an_index(tmp_path):
    ingested(tmp_path / "a.sqlite")
    with pytest.raises(HarnessError, match="has other settings"):
        begin(tmp_path / "a.sqlite", "scene 0", Cheap(), Settings(k=3))


def test_a_scene_without_motion_makes_an_index_without_clusters(tmp_path):
    ingest = begin(tmp_path / "a.sqlite", "still", Cheap(), EXACT)
    list(ingest.run(frame for frame, _ in scene(0, squares=0)))
    index = Index(tmp_path / "a.sqlite")
    assert index.position().frames == 120
    assert frames_of(index, "red") == (set(), 0)
