from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from harness_focus.video.segments import present, stretches


@given(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 9))))
def test_a_second_has_a_class_if_at_least_half_of_its_frames_do(having):
    frames = [(10 * second + n, second + n / 10) for second, n in having]
    by_hand = [s for s in range(7) if sum(1 for second, _ in having if second == s) >= 5]
    assert present(frames, dict.fromkeys(range(7), 10)) == by_hand


def test_a_frame_with_two_such_objects_counts_once():
    assert present([(0, 0.0), (0, 0.0)], {0: 3}) == []


@given(st.sets(st.integers(0, 30)))
def test_stretches_are_the_same_seconds_without_gaps_between_neighbours(seconds):
    found = stretches(seconds)
    assert {second for run in found for second in range(run.since, run.until)} == seconds
    assert all(a.until < b.since for a, b in pairwise(found))
