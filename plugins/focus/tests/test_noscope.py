"""NoScope's cascade against a plain one, object by object."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness_focus.footage.footage import TEST, VALIDATION
from harness_focus.trials.noscope import Asked, Looked, Plan, chosen, looked

RATE = 10


@dataclass(frozen=True, eq=False)
class Made:
    """As much of a footage as NoScope looks at."""

    frames: np.ndarray
    labels: np.ndarray
    seconds: np.ndarray
    frame_seconds: np.ndarray
    parts: np.ndarray
    boxes: np.ndarray
    crops: list


def made(seed: int, *, seconds: int = 60) -> Made:
    rng = np.random.default_rng(seed)
    frames = np.sort(rng.integers(0, seconds * RATE, 8 * seconds))
    labels = (frames // 25 + rng.integers(0, 2, len(frames))) % 3
    times = np.arange(seconds * RATE) / RATE
    boxes = np.tile([10, 10, 8, 8], (len(frames), 1))
    crops = [np.full((8, 8, 3), 80 * label, np.uint8) for label in labels]
    parts = np.array([VALIDATION, TEST], np.int8)[(np.arange(seconds) // 5) % 2]
    return Made(frames, labels, times[frames], times, parts, boxes, crops)


@given(seed=st.integers(0, 99), every=st.sampled_from([1, 3, 10]), low=st.floats(0, 1), wide=st.floats(0, 1))
def test_the_answer_is_the_cascades_object_by_object(seed, every, low, wide):
    footage = made(seed, seconds=10)
    scores = np.random.default_rng(seed).random(len(footage.frames)).astype(np.float32)
    plan = Plan(looked(footage, every, 4.0), low, low + wide)
    query = Asked(footage, 1, scores)
    calls, yes = 0, {}
    for n, frame in enumerate(footage.frames.tolist()):
        root = int(plan.looked.root[n])
        if frame % every:
            assert root == -1
        elif root != n:
            yes[n] = yes[root]
        elif low <= scores[n] <= low + wide:
            calls, yes[n] = calls + 1, bool(footage.labels[n] == 1)
        else:
            yes[n] = bool(scores[n] > low + wide)
    shown = {int(footage.frames[n]) for n, is_one in yes.items() if is_one}
    expected = {f for f in range(len(footage.frame_seconds)) if f // every * every in shown}
    assert query.unsure(plan).sum() == calls
    assert set(query.frames(plan).tolist()) == expected


def test_the_difference_detector_follows_what_stays_and_no_further():
    footage = made(0)
    same = looked(footage, 1, 4.0)
    for n, root in enumerate(same.root.tolist()):
        assert root == n or footage.labels[root] == footage.labels[n], "what looks alike is of one shade"
    assert (looked(footage, 1, 0.0).root == np.arange(len(footage.frames))).all(), "turned off"
    first_of_frame = np.flatnonzero(np.diff(footage.frames, prepend=-9) > 1)
    assert (same.root[first_of_frame] == first_of_frame).all(), "a frame without objects ends it"


@pytest.mark.parametrize("seed", range(3))
def test_a_perfect_small_network_leaves_nothing_to_the_expensive_one(seed):
    footage = made(seed)
    query = Asked(footage, 2, np.where(footage.labels == 2, 0.9, 0.1).astype(np.float32))
    plan = chosen(query, [looked(footage, 1, 0.0)], 0.01)
    assert query.unsure(plan).sum() <= 2, "a score on a threshold is asked about"
    assert set(query.frames(plan).tolist()) == set(footage.frames[footage.labels == 2].tolist())


def test_a_small_network_that_knows_nothing_leaves_everything_to_the_expensive_one():
    footage = made(5)
    query = Asked(footage, 2, np.full(len(footage.frames), 0.5, np.float32))
    plan = chosen(query, [looked(footage, 1, 0.0)], 0.01)
    assert query.unsure(plan).all()


def test_what_is_never_there_in_validation_is_left_to_the_expensive_network():
    footage = made(6)
    every = Looked(1, 0.0, np.arange(len(footage.frames)))
    query = Asked(footage, 9, np.linspace(0, 1, len(footage.frames), dtype=np.float32))
    assert query.unsure(chosen(query, [every], 0.01)).all()


def test_labels_of_the_test_part_change_no_plan():
    footage, other = made(7), made(7)
    rng = np.random.default_rng(0)
    scores = np.clip((footage.labels == 1) * 0.3 + 0.7 * rng.random(len(footage.frames)), 0, 1).astype(np.float32)
    test = np.flatnonzero(other.parts[other.seconds.astype(int)] == TEST)
    other.labels[test] = rng.permutation(other.labels[test])
    plans = [chosen(Asked(f, 1, scores), [looked(f, 1, 0.0), looked(f, 3, 0.0)], 0.01) for f in (footage, other)]
    assert plans[0].described("x") == plans[1].described("x")
