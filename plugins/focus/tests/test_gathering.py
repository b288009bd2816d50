"""What is gathered of a user's video is what is found in it, and no more of it is labelled than asked for."""

import numpy as np
import pytest
from scenes import Expensive, colour_of, scene, write_video

from harness import HarnessError
from harness_focus.footage.footage import BLOCK, TEST, TRAINING, VALIDATION
from harness_focus.footage.objects import objects_of
from harness_focus.ingest.gathering import UNKNOWN, Gathering, gathered, sampled
from harness_focus.ingest.indexing import Settings
from harness_focus.video.reading import Video


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    images = [frame.image for frame, _ in scene(1, frames=850, squares=30)]
    return write_video(tmp_path_factory.mktemp("gathering") / "long.avi", images)


def test_objects_are_those_that_experiments_find_and_a_sample_is_labelled(tmp_path, monkeypatch, recorded):
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    expert, told = Expensive(), []
    gathering = gathered(Video(str(recorded)), Settings())
    footage = gathering.footage(expert, sample=40, seed=0, tell=lambda *so_far: told.append(so_far))
    found = objects_of(recorded)
    for name in ("frames", "boxes", "tracks", "frame_seconds"):
        np.testing.assert_array_equal(getattr(footage, name), getattr(found, name))
    assert all(np.array_equal(a, b) for a, b in zip(footage.crops, found.crops, strict=True))
    labelled = np.concatenate([footage.within(TRAINING), footage.within(VALIDATION)])
    assert set(np.flatnonzero(footage.labels != UNKNOWN)) == set(labelled)
    assert expert.calls == len(labelled) == told[-1][0]
    assert all(footage.classes[footage.labels[n]] == colour_of(footage.crops[n]) for n in labelled)
    assert gathering.lasts == pytest.approx(84.9)


@pytest.mark.parametrize(("seconds", "sample", "labelled"), [(70, 600, 42), (3600, 240, 240), (800, 1e9, 480)])
def test_about_as_many_seconds_are_labelled_as_asked_for_in_whole_blocks_over_the_whole(seconds, sample, labelled):
    parts = sampled(seconds, sample, seed=3)
    used = np.flatnonzero(parts != TEST)
    assert len(parts) == seconds
    assert len(used) == pytest.approx(labelled, abs=5)
    assert 2 * (parts == TRAINING).sum() == pytest.approx((parts == VALIDATION).sum(), abs=9)
    assert used[0] < 5 * BLOCK
    assert used[-1] >= seconds - 5 * BLOCK


def test_where_nothing_moves_there_is_nothing_to_tune_to():
    gathering = Gathering()
    gathering.take(0.0, [])
    with pytest.raises(HarnessError, match="nothing moves"):
        gathering.footage(Expensive(), sample=10, seed=0)
