"""Ingest that is killed, or goes on: what is indexed is what an unbroken ingest indexes."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from scenes import Cheap, Expensive, scene, write_video

from harness import HarnessError
from harness_focus.index.reading import Index
from harness_focus.ingest.indexing import Settings
from harness_focus.ingest.ingest import begin
from harness_focus.query.query import Query, hits
from harness_focus.video.reading import Video
from harness_focus.video.seeking import Done

KILLS = 20
SETTINGS = Settings(k=2, threshold=0.1, differencing=12.0, segment_seconds=0.5, area=100, renewed=60, relearn=20)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Half a minute of squares that cross, with a picture every 12 frames from which decoding can begin."""
    images = [frame.image for frame, _ in scene(3, frames=300, squares=30)]
    return write_video(tmp_path_factory.mktemp("resuming") / "squares.avi", images)


def ingest(path, recorded, settings=SETTINGS):
    return begin(path, "squares", Cheap(), settings).watch(Video(str(recorded)))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, recorded):
    path = tmp_path_factory.mktemp("unbroken") / "squares.sqlite"
    list(ingest(path, recorded))
    return held(path)


def held(path):
    """All that an index holds, but for verdicts and how long work took."""
    tables = {
        "segment": "number, frames, seconds, clusters",
        "second": "*",
        "member": "frame, x, y, width, height, seconds, cluster",
        "cluster": "*",
        "ranking": "cluster, rank, class, probability",
    }
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {name: sorted(db.execute(f"SELECT {columns} FROM {name}")) for name, columns in tables.items()}


@pytest.mark.parametrize("after", [1, 20, 59])
def test_going_on_gives_what_an_unbroken_ingest_gives(tmp_path, recorded, unbroken, after):
    path = tmp_path / "squares.sqlite"
    list(islice(ingest(path, recorded), after))
    assert Index(path).position().segments == after
    list(ingest(path, recorded))
    assert held(path) == unbroken


def test_going_on_decodes_what_the_background_needs_and_no_more(recorded):
    numbers = [frame.number for frame in Video(str(recorded)).frames(Done(250, 24.9, 10, 200, 20))]
    assert numbers == list(range(numbers[0], 300))
    assert 200 - 12 <= numbers[0] <= 200


def test_pictures_and_times_after_a_seek_are_those_of_a_reading_from_the_start(recorded):
    whole = list(Video(str(recorded)).frames())
    part = list(Video(str(recorded)).frames(Done(200, 19.9, 10, 180, 18)))
    assert 180 - 12 <= part[0].number <= 180
    for frame in part:
        assert np.array_equal(frame.image, whole[frame.number].image)
        assert frame.seconds == whole[frame.number].seconds


def test_a_file_whose_times_are_not_those_that_were_indexed_is_read_from_its_start(recorded):
    numbers = [frame.number for frame in Video(str(recorded)).frames(Done(250, 24.9, 7, 200, 20))]
    assert numbers == list(range(300))


def test_a_file_that_cannot_be_sought_in_is_read_from_its_start(tmp_path):
    images = [frame.image for frame, _ in scene(frames=60)]
    video = Video(str(write_video(tmp_path / "raw.mjpeg", images, codec="mjpeg")))
    whole = list(video.frames())
    again = [frame.number for frame in video.frames(Done(50, whole[49].seconds, 10, 40, 4))]
    assert again == list(range(60))


def test_a_second_process_on_the_same_index_is_refused(tmp_path, recorded):
    path = tmp_path / "squares.sqlite"
    first, second = ingest(path, recorded), ingest(path, recorded)
    next(first)
    with pytest.raises(HarnessError, match="another process goes on with this index"):
        list(second)
    next(first)


TELLING = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from scenes import Cheap
from harness_focus.ingest.indexing import Settings
from harness_focus.ingest.ingest import begin
from harness_focus.video.reading import Video
class Telling(Video):
    def frames(self, done, **options):
        for frame in super().frames(done, **options):
            if frame.number >= done.frames:
                print(frame.number, flush=True)
            yield frame
for _ in begin(Path({path!r}), "squares", Cheap(), {settings!r}).watch(Telling({video!r})):
    pass
"""


class Asking(threading.Thread):
    """Queries that are asked all the time, and what went wrong."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.answers, self.errors, self.ended = path, [], [], threading.Event()

    def run(self):
        while not self.ended.wait(0.1):
            try:
                index = Index(self.path)
                found = {frame for hit in hits(index, Query("red", 2), Expensive()) for frame, _ in hit.frames}
                self.answers.append((found, index.position().frames))
                index.close()
            except Exception as error:  # any is a failure of the test
                self.errors.append(error)


def killed_after(script, frames):
    """Begin to ingest; kill the process when it has read so many more frames, at whatever it is busy with then."""
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        list(islice(process.stdout, frames))
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "it was still at work"


def test_kills_at_random_moments_lose_and_double_nothing_and_queries_answer_throughout(tmp_path, recorded, unbroken):
    path, script, moments = tmp_path / "killed.sqlite", tmp_path / "telling.py", random.Random(0)
    names = {"tests": str(Path(__file__).parent), "path": str(path), "video": str(recorded)}
    script.write_text(TELLING.format(settings=SETTINGS, **names))
    list(islice(ingest(path, recorded), 1))
    asking, reached = Asking(path), 5
    asking.start()
    for _ in range(KILLS):
        killed_after(script, moments.randint(1, 14))
        segments = held(path)["segment"]
        assert segments == unbroken["segment"][: len(segments)]
        assert segments[-1][1] >= reached
        reached = segments[-1][1]
    assert 50 < reached < 300
    subprocess.run([sys.executable, str(script)], check=True, capture_output=True)
    asking.ended.set()
    asking.join()
    assert asking.errors == []
    assert len(asking.answers) >= KILLS
    assert all(max(found, default=0) < frames for found, frames in asking.answers)
    assert held(path) == unbroken
