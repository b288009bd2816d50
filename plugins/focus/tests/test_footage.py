import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import COLOURS, Expensive, scene, write_video

from harness import HarnessError
from harness_focus.footage.footage import (
    AGAIN,
    BLOCK,
    TEST,
    TRAINING,
    VALIDATION,
    block_of,
    divided,
    footage_of,
    parted,
    tied,
)
from harness_focus.footage.objects import objects_of, tracked
from harness_focus.video.motion import Motion
from harness_focus.video.reading import Video


@pytest.fixture
def video(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "data"))
    return write_video(tmp_path / "a.mp4", [frame.image for frame, _ in scene(frames=150)])


def test_footage_holds_what_background_subtraction_finds_in_the_file(video):
    footage, motion = footage_of(video, Expensive(), 0), Motion()
    n = 0
    for frame in Video(str(video)).frames():
        for box in motion.boxes(frame.image):
            assert (footage.frames[n], footage.seconds[n]) == (frame.number, frame.seconds)
            assert footage.boxes[n].tolist() == [box.x, box.y, box.width, box.height]
            np.testing.assert_array_equal(footage.crops[n], box.of(frame.image))
            n += 1
    assert n == len(footage.frames) == len(footage.crops) == len(footage.labels) > 100
    assert footage.frames_in == dict.fromkeys(range(15), 10)


def test_labels_are_the_expensive_networks_own_and_are_found_once(video):
    first, second = Expensive(), Expensive()
    made, read = footage_of(video, first, 0), footage_of(video, second, 0)
    assert [made.classes[n] for n in made.labels] == Expensive()(made.crops)
    np.testing.assert_array_equal(made.labels, read.labels)
    assert first.calls == len(made.crops) + AGAIN
    assert second.calls == AGAIN


def test_objects_that_the_border_cuts_are_left_out_and_never_labelled(video):
    expert = Expensive()
    some, every = footage_of(video, expert, 0, whole=True), objects_of(video)
    size = Video(str(video)).width, Video(str(video)).height
    clear = [(box[:2] >= 2).all() and (box[:2] + box[2:] <= np.array(size) - 2).all() for box in every.boxes]
    assert 0 < sum(clear) < len(clear)
    np.testing.assert_array_equal(some.boxes, every.boxes[clear])
    np.testing.assert_array_equal(some.tracks, every.tracks[clear])
    assert expert.calls == sum(clear) + AGAIN
    assert [some.classes[n] for n in some.labels] == Expensive()([every.crops[n] for n in np.flatnonzero(clear)])


def test_labels_that_the_network_no_longer_gives_are_refused(video):
    class Changed(Expensive):
        def __call__(self, crops):
            return ["white" if label == "red" else "red" for label in super().__call__(crops)]

    footage_of(video, Expensive(), 0)
    with pytest.raises(HarnessError, match=r"labels are not what colours, better says now; remove the file"):
        footage_of(video, Changed(), 0)


def test_a_label_outside_the_networks_classes_becomes_a_class_of_its_own(video):
    class Unsure(Expensive):
        identity = "unsure"

        def __call__(self, crops):
            return ["something" if crop.shape[0] > crop.shape[1] else "red" for crop in crops]

    assert footage_of(video, Unsure(), 0).classes == (*COLOURS, "something")


def test_a_video_in_which_nothing_moves_has_no_objects(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "data"))
    still = write_video(tmp_path / "still.mp4", [np.full((64, 64, 3), 90, np.uint8)] * 30)
    footage = footage_of(still, Expensive(), 0)
    assert len(footage.crops) == len(footage.labels) == 0
    assert footage.frames_in == dict.fromkeys(range(3), 10)


def test_a_search_that_was_broken_off_leaves_nothing_that_looks_whole(video, monkeypatch):
    monkeypatch.setattr(Motion, "boxes", lambda self, image: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        objects_of(video)
    monkeypatch.undo()
    monkeypatch.setenv("HARNESS_DATA", str(video.parent / "data"))
    assert len(objects_of(video).frames) > 100


@given(seconds=st.integers(1, 4000), seed=st.integers(0, 1000))
def test_parts_are_whole_blocks_and_every_round_has_all_three(seconds, seed):
    parts, block = divided(seconds, seed), block_of(seconds)
    assert len(parts) == seconds
    blocks = [parts[start : start + block] for start in range(0, seconds, block)]
    assert all(len(set(block.tolist())) == 1 for block in blocks)
    wanted = [TRAINING, VALIDATION, VALIDATION, TEST, TEST]
    for start in range(0, len(blocks) - 4, 5):
        assert sorted(int(block[0]) for block in blocks[start : start + 5]) == wanted


@given(seconds=st.integers(10, 4000), seed=st.integers(0, 1000))
def test_a_short_stream_has_two_rounds_of_all_parts_in_shorter_blocks(seconds, seed):
    parts, block = divided(seconds, seed), block_of(seconds)
    for half in (parts[: 5 * block], parts[5 * block : 10 * block]):
        assert np.bincount(half).tolist() == [block, 2 * block, 2 * block]
    assert block == BLOCK or seconds < 10 * BLOCK


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 30)), max_size=20), st.integers(100, 130), st.integers(0, 9)
)
def test_borders_of_parts_wait_until_nothing_crosses_them_or_half_a_block(stays, length, seed):
    seconds = np.array([s + d for first, last in stays for s, d in ((first, 0.2), (min(first + last, 99), 0.7))])
    tracks = np.repeat(np.arange(len(stays)), 2)
    ties = tied(seconds, tracks)
    crossed = {s for first, last in stays for s in range(first + 1, min(first + last, 99) + 1)}
    assert set(np.flatnonzero(ties).tolist()) == crossed
    parts, block = divided(length, seed), block_of(length)
    moved = parted(parts, ties)
    for border in range(block, length, block):
        new = border
        while new in crossed and new < border + block // 2:
            new += 1
        if parts[border] != parts[border - 1]:
            assert set(moved[border:new].tolist()) <= {parts[border - 1]}
        assert set(moved[new : border + block].tolist()) <= {parts[border]}


def test_tracks_follow_boxes_that_overlap_and_end_with_a_gap():
    frames = np.array([0, 0, 1, 1, 2, 9])
    boxes = np.array([[0, 0, 9, 9], [50, 0, 9, 9], [52, 0, 9, 9], [1, 0, 9, 9], [3, 0, 9, 9], [4, 0, 9, 9]])
    assert tracked(frames, boxes).tolist() == [0, 1, 1, 0, 0, 2]
