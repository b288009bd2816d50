import numpy as np

from harness_focus.video.differencing import Differencing
from harness_focus.video.motion import Box

CROP = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
HERE, NEAR, FAR = Box(10, 10, 30, 40), Box(12, 11, 30, 40), Box(60, 10, 30, 40)


def shown(threshold=4.0):
    differencing = Differencing(threshold=threshold)
    differencing.remember(HERE, CROP, "first")
    differencing.turn()
    return differencing


def test_the_same_object_a_little_further_is_recognised():
    assert shown().same(NEAR, CROP) == "first"


def test_elsewhere_or_looking_otherwise_it_is_another():
    assert shown().same(FAR, CROP) is None
    assert shown().same(NEAR, 255 - CROP) is None


def test_only_the_last_picture_counts():
    differencing = shown()
    differencing.turn()
    assert differencing.same(NEAR, CROP) is None


def test_at_threshold_zero_nothing_is_ever_the_same():
    assert shown(0.0).same(HERE, CROP) is None
