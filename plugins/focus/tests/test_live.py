"""Sources that do not wait: what is not taken in time is left out and said, and the rest has its own times."""

import os
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice

import pytest
from scenes import Cheap, Expensive, scene, write_video

from harness import HarnessError
from harness_focus.index.reading import Index
from harness_focus.ingest.indexing import Settings
from harness_focus.ingest.ingest import begin
from harness_focus.query.query import Query, hits
from harness_focus.video import reading as video_module
from harness_focus.video.live import Latest
from harness_focus.video.reading import Video

FRAMES = 150
SETTINGS = Settings(k=2, threshold=0.1, differencing=0.0, segment_seconds=2.0, area=100)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A transport stream, as cameras send it."""
    images = [frame.image for frame, _ in scene(frames=FRAMES)]
    return write_video(tmp_path_factory.mktemp("live") / "squares.ts", images, codec="mpeg2video", rate=25)


def test_what_is_taken_in_time_is_all_of_it():
    assert list(Latest(iter("abc"))) == [(0, "a"), (1, "b"), (2, "c")]


def test_of_what_is_not_taken_in_time_the_oldest_is_left_out():
    read = threading.Event()

    def source():
        yield from range(100)
        read.set()

    items = iter(Latest(source(), room=8))
    first = next(items)
    read.wait()
    rest = list(items)
    assert rest == [(n, n) for n in range(92, 100) if (n, n) != first]


def test_an_error_of_the_source_comes_after_what_was_before_it():
    def source():
        yield 1
        raise HarnessError("unplugged")

    items = iter(Latest(source()))
    assert next(items) == (0, 1)
    with pytest.raises(HarnessError, match="unplugged"):
        next(items)


def test_one_who_leaves_early_leaves_no_thread_behind():
    before = threading.active_count()
    endless = iter(int, 1)
    items = iter(Latest(endless))
    next(items)
    items.close()
    assert threading.active_count() == before


class Waiting(Cheap):
    """A network that is too slow for a camera: at its first call it waits for all that comes."""

    def __init__(self, until):
        super().__init__()
        self._until = until

    def __call__(self, crops):
        self._until()
        return super().__call__(crops)


def test_ingest_of_a_pipe_drops_what_it_is_too_slow_for_and_says_how_much(tmp_path, recorded):
    pipe, path = tmp_path / "camera", tmp_path / "camera.sqlite"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(recorded.read_bytes()))
    writer.start()
    video = Video(str(pipe))
    assert video.live

    def all_came():
        writer.join()
        time.sleep(0.5)  # for the last pictures to be decoded

    segments = list(begin(path, "camera", Waiting(all_came), SETTINGS).watch(video))
    dropped = sum(segment.counts["dropped"] for segment in segments)
    assert dropped > 0
    assert sum(Index(path).frames_in().values()) + dropped == segments[-1].frames <= FRAMES


def test_a_camera_that_is_back_goes_on_after_the_time_it_was_away(tmp_path, recorded):
    path = tmp_path / "camera.sqlite"
    list(begin(path, "camera", Cheap(), SETTINGS).watch(Video(str(recorded), live=True)))
    before, began = Index(path).position(), Index(path).began()
    away = time.time() - began
    list(begin(path, "camera", Cheap(), SETTINGS).watch(Video(str(recorded), live=True)))
    after = Index(path).position()
    assert after.frames > before.frames
    assert after.seconds >= max(before.seconds, away) + (FRAMES - 2) / 25


class Camera(BaseHTTPRequestHandler):
    """Sends a transport stream of no known length, at the pace that it was recorded at."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        data = self.server.video.read_bytes()
        pieces = 60
        size = -(-len(data) // pieces // 188) * 188
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            time.sleep(FRAMES / 25 / pieces)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


@pytest.fixture
def address(recorded):
    with ThreadingHTTPServer(("127.0.0.1", 0), Camera) as server:
        server.video = recorded
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/camera.ts"
        server.shutdown()


def test_a_camera_over_the_network_is_indexed_as_it_comes_and_queries_answer_meanwhile(tmp_path, address):
    path = tmp_path / "camera.sqlite"
    video = Video(address)
    assert video.live
    ingest = begin(path, address, Cheap(), SETTINGS).watch(video)
    list(islice(ingest, 2))
    index = Index(path)
    first = index.position()
    found = {name: list(hits(index, Query(name, 2), Expensive())) for name in Cheap.classes}
    list(ingest)
    assert any(found.values())
    assert first.frames < index.position().frames
    assert index.position().seconds < FRAMES / 25 + 1 + (time.time() - index.began())
    assert video.problems == []


def test_a_camera_that_is_silent_is_given_up_in_one_line(monkeypatch):
    monkeypatch.setattr(video_module, "PATIENCE", 0.5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(HarnessError, match=rf"udp://127\.0\.0\.1:{port}: nothing came for 0\.5 s"):
        Video(f"udp://127.0.0.1:{port}")
