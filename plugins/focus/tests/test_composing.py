import hashlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness_focus.declared import SURVEILLANCE
from harness_focus.streams.background import Background
from harness_focus.streams.composing import HEIGHT, RATE, WIDTH, Composition, blend, compose, posed
from harness_focus.streams.cutouts import ALL, KINDS, divided
from harness_focus.streams.scripts import script
from harness_focus.video.reading import Video


def test_held_out_cutouts_never_train_and_every_kind_has_both():
    training, held_out = divided()
    assert Counter([*training, *held_out]) == Counter(ALL)
    assert {c.kind for c in training} == {c.kind for c in held_out} == set(KINDS)


def test_a_script_keeps_to_its_time_and_every_kind_crosses_in_a_long_one():
    crossings = script(ALL, seconds=7200, pause=8, rng=np.random.default_rng(0))
    starts = [crossing.start for crossing in crossings]
    assert starts == sorted(starts)
    assert all(0 < start < 7200 for start in starts)
    assert {ALL[crossing.cutout].kind for crossing in crossings} == set(KINDS)


def test_things_follow_one_another_at_the_mean_that_was_asked_for():
    crossings = script(ALL, seconds=40_000, pause=8, rng=np.random.default_rng(1))
    assert len(crossings) / 2 == pytest.approx(40_000 / 8, rel=0.05)


def test_the_mix_of_kinds_changes_between_day_parts():
    crossings = script(ALL, seconds=10_000, pause=4, rng=np.random.default_rng(2))
    first, last = (Counter(ALL[c.cutout].kind for c in crossings if low <= c.start < low + 2000) for low in (0, 8000))
    shared = sum((first & last).values())
    assert shared < 0.8 * min(first.total(), last.total())


def test_things_on_a_lane_go_one_way_enter_and_leave_at_its_ends_and_never_turn_back():
    crossings = script(ALL, seconds=2000, pause=8, rng=np.random.default_rng(3))
    assert len({(crossing.lane < 0.5, crossing.leftward) for crossing in crossings}) == 2
    done = np.linspace(0, 1, 101)
    way = np.array([crossings[0].along(float(share)) for share in done])
    assert (way[0], way[50], way[-1]) == pytest.approx((0, 0.5, 1))
    speed = np.diff(way)
    assert (speed > 0).all()
    assert speed.argmin() in (49, 50)


@given(x=st.integers(-60, 100), y=st.integers(-60, 90), seed=st.integers(0, 5))
@settings(max_examples=40)
def test_blending_agrees_with_one_pixel_after_another(x, y, seed):
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    alpha = rng.uniform(0, 255, (21, 17, 1))
    sprite = np.concatenate([rng.uniform(0, 255, (21, 17, 3)) * alpha / 255, alpha], axis=2).astype(np.float32)
    expected = picture.astype(np.float64)
    for row in range(21):
        for column in range(17):
            at = y - 10 + row, x - 8 + column
            if 0 <= at[0] < 40 and 0 <= at[1] < 50:
                under = expected[at] * (1 - sprite[row, column, 3] / 255)
                expected[at] = np.clip(sprite[row, column, :3] * 0.9 + under, 0, 255)
    blend(picture, sprite, x, y, 0.9)
    assert np.abs(picture - expected).max() <= 1


def test_a_cutout_that_has_turned_is_mirrored():
    image = np.zeros((40, 60, 4), dtype=np.uint8)
    image[:, :30] = 255
    front, back = (posed(image, side=60, wide=wide, lean=0) for wide in (1.0, -1.0))
    np.testing.assert_array_equal(front, back[:, ::-1])


def test_a_stream_is_a_video_that_its_composition_determines(tmp_path):
    background, stream = SURVEILLANCE.path("vtest.avi"), Composition(6, 2, seed=3)
    digests = set()
    for name in ("a.mp4", "b.mp4"):
        compose(stream, background, tmp_path / name)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    video = Video(str(tmp_path / "a.mp4"))
    frames = list(video.frames())
    assert len(digests) == 1
    assert (video.width, video.height, len(frames)) == (WIDTH, HEIGHT, 6 * RATE)
    assert np.diff([frame.seconds for frame in frames]) == pytest.approx(1 / RATE)


def test_the_background_has_the_noise_of_a_real_camera_and_nobody_in_it():
    scene = Background.of(SURVEILLANCE.path("vtest.avi"), WIDTH, HEIGHT)
    first, second = (scene.picture(number, 1.0).astype(float) for number in (0, 30))
    assert 0 < np.abs(first - second).mean() < 5
