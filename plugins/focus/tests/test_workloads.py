import pytest

from harness import HarnessError
from harness_focus.declared import SURVEILLANCE
from harness_focus.workloads import Bikes, ComposedStream, Surveillance


def test_every_seed_of_a_composed_stream_is_a_video_of_its_own_that_is_made_once():
    workload = ComposedStream(minutes=0.5, pause=4)
    first, second = workload.video(0), workload.video(1)
    made = first.stat().st_mtime_ns
    assert first.read_bytes() != second.read_bytes()
    assert workload.video(0) == first
    assert first.stat().st_mtime_ns == made


@pytest.mark.parametrize("workload", [Surveillance(), Bikes()])
def test_a_real_video_is_the_same_whatever_the_seed(workload):
    assert workload.video(0) == workload.video(5)


def test_the_real_video_is_the_one_that_was_declared():
    assert Surveillance().video(0) == SURVEILLANCE.path("vtest.avi")


def test_yolo_refuses_a_side_that_its_grid_cannot_have():
    with pytest.raises((ValueError, HarnessError), match="multiple of 32"):
        Surveillance(side=100)
