import numpy as np
from scenes import scene

from harness_focus.video.motion import Box, Motion


def test_squares_that_move_are_found_and_noise_is_not():
    motion = Motion(area=100)
    found, there = [], []
    for frame, present in scene(3, frames=100, squares=4):
        boxes = motion.boxes(frame.image)
        found.append(bool(boxes))
        there.append(bool(present))
    agree = np.mean(np.array(found)[10:] == np.array(there)[10:])
    assert agree > 0.9
    assert not any(found[:10])


def test_overlap_is_intersection_over_union():
    a, b = Box(0, 0, 10, 10), Box(5, 0, 10, 10)
    pixels = [{(x, y) for x in range(c.x, c.x + c.width) for y in range(c.y, c.y + c.height)} for c in (a, b)]
    assert a.overlap(b) == len(pixels[0] & pixels[1]) / len(pixels[0] | pixels[1])
    assert a.overlap(Box(20, 20, 3, 3)) == 0


def test_a_margin_stays_inside_the_picture():
    assert Box(0, 50, 20, 40).grown(0.5, 100, 100) == Box(0, 30, 30, 70)


def test_a_picture_that_changes_as_a_whole_has_no_object():
    motion = Motion(warm_up=3)
    for _ in range(10):
        motion.boxes(np.full((60, 80, 3), 50, np.uint8))
    assert motion.boxes(np.full((60, 80, 3), 200, np.uint8)) == []
