import numpy as np
import pytest
from scenes import scene, write_video

from harness import HarnessError
from harness_focus.video.reading import Video


@pytest.fixture(scope="module")
def images():
    return [frame.image for frame, _ in scene(frames=60)]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, images):
    return write_video(tmp_path_factory.mktemp("video") / "a.avi", images)


def test_a_file_is_read_as_its_pictures_and_times(recorded, images):
    video = Video(str(recorded))
    frames = list(video.frames())
    assert [frame.number for frame in frames] == list(range(60))
    assert np.allclose([frame.seconds for frame in frames], np.arange(60) / 10)
    assert (video.width, video.height, video.rate) == (160, 120, 10)
    off = np.mean([np.abs(f.image.astype(int) - i).mean() for f, i in zip(frames, images, strict=True)])
    assert off < 8, "mpeg4 loses some, but the pictures are these, and red is red"
    assert video.problems == []


def test_it_can_be_read_again(recorded):
    video = Video(str(recorded))
    assert len(list(video.frames())) == len(list(video.frames())) == 60


def test_times_of_a_varying_rate_are_the_files_own(tmp_path, images):
    times = np.cumsum([40 + 160 * (n % 3 == 0) for n in range(30)]).tolist()
    path = write_video(tmp_path / "varying.mkv", images[:30], times=times)
    seconds = [frame.seconds for frame in Video(str(path)).frames()]
    assert np.allclose(seconds, (np.array(times) - times[0]) / 1000, atol=2e-3)


def test_of_a_truncated_file_what_is_readable_is_kept_and_the_rest_said(tmp_path, recorded):
    path = tmp_path / "short.avi"
    path.write_bytes(recorded.read_bytes()[: recorded.stat().st_size // 2])
    video = Video(str(path))
    read = len(list(video.frames()))
    assert 10 < read < 50
    assert video.problems[-1] == f"ends early: {read} of 60 frames could be read"


def test_corruption_in_the_midst_costs_no_more_than_its_own_frames(tmp_path, recorded):
    data = bytearray(recorded.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = np.random.default_rng(0).bytes(400)
    path = tmp_path / "scratched.avi"
    path.write_bytes(data)
    video = Video(str(path))
    assert len(list(video.frames())) > 50
    assert any("damaged pictures, taken as they are" in problem or "corrupt" in problem for problem in video.problems)


def test_a_clock_that_is_set_back_goes_on(tmp_path, images):
    parts = [write_video(tmp_path / f"{n}.ts", images[30 * n : 30 * (n + 1)]) for n in range(2)]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    video = Video(str(path))
    seconds = [frame.seconds for frame in video.frames()]
    assert len(seconds) >= 58
    assert np.diff(seconds).min() > 0
    assert seconds[-1] == pytest.approx(len(seconds) / 10, abs=0.5)
    assert any("sets its clock back at" in note for note in video.notes)


def test_a_change_of_resolution_is_scaled_to_the_first_and_said(tmp_path, images):
    # Raw MJPEG pictures one after the other may have any size.
    small = [np.ascontiguousarray(image[:60, :80]) for image in images[:10]]
    parts = [write_video(tmp_path / f"{n}.mjpeg", p, codec="mjpeg") for n, p in enumerate((images[:10], small))]
    path = tmp_path / "both.mjpeg"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    video = Video(str(path))
    assert {frame.image.shape for frame in video.frames()} == {(120, 160, 3)}
    assert any("changes from 160x120 to 80x60 pixels" in note for note in video.notes)
    assert video.problems == [], "nothing was lost"


@pytest.mark.parametrize("content", [b"", b"this is no video" * 100], ids=["empty", "text"])
def test_what_is_no_video_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "none.avi"
    path.write_bytes(content)
    with pytest.raises(HarnessError, match=r"none\.avi: cannot be read as video"):
        Video(str(path))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(HarnessError, match="No such file"):
        Video(str(tmp_path / "absent.mp4"))
