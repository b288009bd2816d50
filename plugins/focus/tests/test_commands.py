import json
import sqlite3
import subprocess
import sys
from collections import Counter
from itertools import islice

import numpy as np
import pytest
from scenes import scene, write_video

from harness_focus.index.reading import Index
from harness_focus.networks.pretrained import Labels
from harness_focus.video.pictures import decode


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
        (["ingest", "absent.mp4", "--respecialise"], "--respecialise: goes with --tuned"),
        (["ingest", "absent.mp4"], "absent.mp4: cannot be read as video: No such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_status_2(indexed, arguments, says):
    done = focus(*arguments, "-i", indexed)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr


def test_asked_again_in_a_new_process_a_query_says_the_same_and_calls_nothing(indexed):
    index = Index(indexed / "squares.avi.sqlite")
    label = max(index.classes, key=lambda label: len(index.candidates(label, k=3)))
    said, kept = [], []
    for _ in range(2):
        done = focus("query", label, "-i", indexed, "--network", "lite0@64", "--json")
        said.append(done.stdout)
        with sqlite3.connect(indexed / "squares.avi.sqlite") as db:
            kept.append(db.execute("SELECT * FROM verdict ORDER BY cluster, network").fetchall())
    assert said[0] == said[1]
    assert kept[0] == kept[1]
    assert len({cluster for cluster, *_ in kept[1]}) >= len(index.candidates(label, k=3)) > 0


def test_each_index_is_asked_for_as_many_classes_as_it_has_and_none_if_none_has_so_many(tmp_path):
    pictures = [frame.image for frame, _ in islice(scene(0), 30)]
    for name, k in (("a", 3), ("b", 2)):
        video = write_video(tmp_path / f"{name}.avi", pictures)
        done = focus("ingest", video, "-i", tmp_path / "index", "--network", "lite0@32", "-k", k)
        assert done.returncode == 0, done.stderr
    asked = ["query", "zebra", "-i", tmp_path / "index", "--network", "lite0@64", "--json"]
    done = focus(*asked, "-k", 3)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["source"][-5:] for line in done.stdout.splitlines()] == ["a.avi", "b.avi"]
    done = focus(*asked, "-k", 4)
    assert (done.returncode, done.stdout) == (2, "")
    assert "K must be from 1 to 3" in done.stderr.replace("\n", " ")


def test_a_model_that_cannot_be_written_is_refused_before_anything_else(tmp_path):
    done = focus("tune", "absent.mp4", "-o", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is a folder; name a file" in done.stderr.replace("\n", " ")


def test_a_damaged_index_is_one_line(indexed, tmp_path):
    folder = tmp_path / "damaged"
    folder.mkdir()
    with sqlite3.connect(indexed / "squares.avi.sqlite") as db, sqlite3.connect(folder / "a.sqlite") as copy:
        db.backup(copy)
    whole = (folder / "a.sqlite").read_bytes()
    (folder / "a.sqlite").write_bytes(whole[: len(whole) // 3])
    done = focus("query", "zebra", "-i", folder, "--network", "lite0@64")
    assert (done.returncode, done.stdout) == (2, "")
    assert "a.sqlite: is no index" in done.stderr.replace("\n", "")
    assert "Traceback" not in done.stderr


def test_a_page_is_written_of_what_is_found(indexed, tmp_path):
    page = tmp_path / "page.html"
    index = Index(indexed / "squares.avi.sqlite")
    label = max(index.classes, key=lambda label: len(index.candidates(label, k=3)))
    done = focus("query", label, "-i", indexed, "--network", "lite0@64", "--page", page, "--json")
    assert done.returncode == 0, done.stderr
    *found, _ = done.stdout.splitlines()
    assert page.read_text().count("<img ") == len(found)


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """An index of videos that are odd but readable, with their sources; and what was said of them."""
    folder = tmp_path_factory.mktemp("odd")
    images = [frame.image for frame, _ in scene(0, frames=60)]
    still = write_video(folder / "still.avi", [frame.image for frame, _ in scene(0, frames=30, squares=0)])
    times = np.cumsum([40 + 160 * (n % 3 == 0) for n in range(60)]).tolist()
    varying = write_video(folder / "varying.mkv", images, times=times)
    small = [np.ascontiguousarray(image[::2, ::2]) for image in images[:20]]
    halves = [write_video(folder / f"{n}.part", p, codec="mjpeg", form="mjpeg") for n, p in enumerate((images, small))]
    changing = folder / "changing.mjpeg"
    changing.write_bytes(b"".join(half.read_bytes() for half in halves))
    done = focus("ingest", still, varying, changing, "-i", folder / "index", "--network", "lite0@32", "-k", 3)
    assert done.returncode == 0, done.stderr
    return folder / "index", times, done.stderr


def test_a_change_of_resolution_is_said_and_what_follows_is_indexed(odd):
    folder, _, said = odd
    assert "changing.mjpeg: changes from 160x120 to 80x60 pixels" in said
    assert Index(folder / "changing.mjpeg.sqlite").position().frames == 80


def test_seconds_of_a_varying_rate_have_the_frames_that_they_have(odd):
    folder, times, _ = odd
    expected = Counter((np.array(times) - times[0]) // 1000)
    assert Index(folder / "varying.mkv.sqlite").frames_in() == expected


def test_where_nothing_moves_nothing_is_found_and_a_range_outside_one_stream_may_be_in_another(odd):
    folder, _, _ = odd
    ends = {path.name: Index(path).position().seconds for path in folder.glob("*.sqlite")}
    assert sorted(ends)[1] == "still.avi.sqlite"
    since = ends["still.avi.sqlite"] + 0.05
    assert since < ends["varying.mkv.sqlite"]
    everywhere, later = (
        focus("query", "zebra", "-i", folder, "--network", "lite0@64", "--json", *more)
        for more in ((), ("--from", since))
    )
    found = [
        [json.loads(line)["source"] for line in done.stdout.splitlines() if '"class"' in line]
        for done in (everywhere, later)
    ]
    assert [everywhere.returncode, later.returncode] == [0, 0]
    assert len(found[0]) == 3
    assert not any("still.avi" in source for source in found[1])
    still = [json.loads(line) for line in everywhere.stdout.splitlines() if "still.avi" in line]
    assert [(one["seconds"], one["frames"]) for one in still] == [([], 0)]


def test_a_folder_without_an_index_says_how_to_make_one(tmp_path):
    done = focus("query", "zebra", "--network", "lite0@64", "-i", tmp_path)
    assert done.returncode == 2
    assert "harness focus ingest" in done.stderr
