"""Many cameras at once: each in a process of its own, which fails alone."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from scenes import scene, write_video

from harness import HarnessError
from harness_focus.index.reading import Index
from harness_focus.ingest.cameras import places

COMMAND = [sys.executable, "-m", "harness", "focus", "ingest", "--network", "lite0@32", "-k", "3"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    images = [frame.image for frame, _ in scene(frames=60)]
    return write_video(tmp_path_factory.mktemp("cameras") / "whole.avi", images)


def test_each_source_has_an_index_of_its_own(tmp_path):
    sources = ["a/yard.avi", "rtsp://10.0.0.7:554/door?ch=1", "/dev/video0"]
    assert [path.name for path in places(sources, tmp_path).values()] == [
        "yard.avi.sqlite",
        "10.0.0.7-554-door-ch-1.sqlite",
        "video0.sqlite",
    ]
    with pytest.raises(HarnessError, match=r"b/yard\.avi: would share the index .* with a/yard\.avi"):
        places(["a/yard.avi", "b/yard.avi"], tmp_path)


def test_what_cannot_be_read_fails_alone_and_what_was_readable_is_kept(tmp_path, recorded):
    short, none, absent = tmp_path / "short.avi", tmp_path / "none.avi", tmp_path / "absent.avi"
    short.write_bytes(recorded.read_bytes()[: recorded.stat().st_size // 2])
    none.touch()
    command = [*COMMAND, "-i", tmp_path / "index", short, recorded, none, absent]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=500)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    errors = sorted(line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert len(errors) == 4
    assert errors[0] == f"error: {absent}: cannot be read as video: No such file or directory"
    assert errors[1].startswith(f"error: {none}: cannot be read as video: ")
    kept = f"what could be is in {tmp_path / 'index' / 'short.avi.sqlite'}"
    assert errors[2] == f"error: {short}: damaged pictures, taken as they are: 1; {kept}"
    assert errors[3].startswith(f"error: {short}: ends early: ")
    assert errors[3].endswith(f"frames could be read; {kept}")
    assert Index(tmp_path / "index" / "whole.avi.sqlite").position().frames == 60
    assert 10 < Index(tmp_path / "index" / "short.avi.sqlite").position().frames < 50


def begun(tmp_path, *more):
    """Ingest of a camera that says nothing, and of other sources; the silent one's process."""
    silent = tmp_path / "silent"
    os.mkfifo(silent)
    command = [*COMMAND, "-i", tmp_path / "index", silent, *more]
    parent = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    while True:
        children = psutil.Process(parent.pid).children()
        found = [child for child in children if child.cmdline()[-1] == str(silent)]
        if found and len(children) == 1 + len(more):
            return parent, found[0], children
        time.sleep(0.05)


def test_a_process_that_dies_is_named_and_the_others_go_on(tmp_path, recorded):
    parent, silent, _ = begun(tmp_path, recorded)
    silent.send_signal(signal.SIGKILL)
    _, said = parent.communicate(timeout=500)
    assert parent.returncode == 2
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].startswith(f"error: {tmp_path / 'silent'}: its process was ended by SIGKILL")
    assert Index(tmp_path / "index" / "whole.avi.sqlite").position().frames == 60


def test_a_process_that_dies_is_named_while_the_others_go_on(tmp_path):
    (tmp_path / "other").mkdir()
    os.mkfifo(tmp_path / "other" / "silent too")
    parent, silent, children = begun(tmp_path, tmp_path / "other" / "silent too")
    silent.send_signal(signal.SIGKILL)
    assert parent.stderr.readline().startswith(f"error: {tmp_path / 'silent'}: its process was ended by SIGKILL")
    assert [child.is_running() for child in children].count(True) == 1
    parent.kill()
    parent.communicate()


def test_no_process_outlives_a_parent_that_is_killed(tmp_path):
    (tmp_path / "other").mkdir()
    os.mkfifo(tmp_path / "other" / "silent too")
    parent, _, children = begun(tmp_path, tmp_path / "other" / "silent too")
    parent.kill()
    parent.communicate()
    assert psutil.wait_procs(children, timeout=300)[1] == []
