import json
import subprocess
import sys
from collections import Counter
from itertools import islice

import pytest
from scenes import scene, write_video

from harness_focus.index import Index
from harness_focus.pictures import decode
from harness_focus.pretrained import Labels


def focus(*arguments):
    command = [sys.executable, "-m", "harness", "focus", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=500)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory):
    """An index of a short video, made by the command."""
    folder = tmp_path_factory.mktemp("focus")
    video = write_video(folder / "squares.avi", [frame.image for frame, _ in islice(scene(0), 60)])
    done = focus("ingest", video, "-i", folder / "index", "--network", "lite0@32", "-k", 3)
    assert done.returncode == 0, done.stderr
    assert "squares.avi.sqlite: 5.9 s" in done.stderr
    return folder / "index"


def test_a_query_answers_with_the_frames_of_clusters_that_the_expensive_network_confirms(indexed):
    index, expensive = Index(indexed / "squares.avi.sqlite"), Labels("lite0", side=64)
    ranked = Counter(
        {label: len(index.candidates(label, k=3)) for label in index.classes if index.candidates(label, k=3)}
    )
    confirmed = {
        label: {
            frame
            for candidate in index.candidates(label, k=3)
            if expensive([decode(candidate.picture)]) == [label]
            for frame, _ in index.frames(candidate.cluster)
        }
        for label in ranked
    }
    label = max(confirmed, key=lambda label: len(confirmed[label]))
    done = focus("query", label, "-i", indexed, "--network", "lite0@64", "--json")
    assert done.returncode == 0, done.stderr
    *found, summary = map(json.loads, done.stdout.splitlines())
    assert {frame for hit in found for frame in hit["frames"]} == confirmed[label] != set()
    assert summary["frames"] == len(confirmed[label])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["query", "zebre", "--network", "lite0@64"], "unknown class 'zebre'; did you mean 'zebra'"),
        (["query", "zebra", "--network", "lite9"], "a network is one of lite0, lite1, lite2, yolo"),
        (["query", "zebra", "--network", "lite0@64", "--from", "500"], "outside what was ingested: 0 to 5.9 s"),
        (["ingest", "absent.mp4"], "absent.mp4: cannot be read as video: No such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_status_2(indexed, arguments, says):
    done = focus(*arguments, "-i", indexed)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr


def test_a_folder_without_an_index_says_how_to_make_one(tmp_path):
    done = focus("query", "zebra", "--network", "lite0@64", "-i", tmp_path)
    assert done.returncode == 2
    assert "harness focus ingest" in done.stderr
