"""A change of what a stream shows is noticed, and chance is not taken for one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness_focus.ingest.drift import drift, kinds

MIX = np.array([0.5, 0.3, 0.2, 0.0])


def test_an_unchanged_stream_hardly_ever_alarms_however_short_either_sample():
    rng = np.random.default_rng(0)
    for before, now in ((60, 5), (60, 30), (1000, 30), (1000, 1000)):
        drawn = [(rng.multinomial(before, MIX), rng.multinomial(now, MIX)) for _ in range(100)]
        assert sum(drift(a, b, seed=n).drifted for n, (a, b) in enumerate(drawn)) <= 6


def test_a_new_class_is_noticed_and_said():
    rng = np.random.default_rng(1)
    found = drift(rng.multinomial(200, MIX), rng.multinomial(60, [0.3, 0.1, 0.1, 0.5]), seed=0)
    assert found.drifted
    assert "specialise anew" in str(found)
    assert 0.3 < found.distance < 0.7


@given(*[st.lists(st.integers(0, 9), min_size=3, max_size=3).filter(any) for _ in range(2)])
def test_the_distance_is_the_total_variation(before, now):
    largest = max(
        sum(now[n] for n in event) / sum(now) - sum(before[n] for n in event) / sum(before)
        for event in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
    )
    assert np.isclose(drift(np.array(before), np.array(now), seed=0).distance, largest)


def test_a_window_without_objects_says_nothing():
    assert not drift(np.array([9, 1]), np.array([0, 0]), seed=0).drifted


def test_a_track_counts_once_as_what_most_of_it_shows():
    labels, tracks = np.array([0, 0, 1, 1, 1, 3, 3, 3, 3]), np.array([0, 0, 1, 1, 1, 1, 2, 2, 2])
    assert kinds(labels, tracks, 4).tolist() == [1, 1, 0, 1]
