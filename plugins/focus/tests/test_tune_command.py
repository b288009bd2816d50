"""Tuning to a user's own video, and ingest with what it gives."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scenes import scene, write_video

from harness import HarnessError
from harness_focus.commands.ingest import Made, Watched, ingest_one
from harness_focus.index.reading import Index
from harness_focus.networks.specialised import Specialised
from harness_focus.tuning import tuned as tuned_module
from harness_focus.tuning.tuned import TunedModel

EXPERT = "lite0@32"


def focus(*arguments):
    command = [sys.executable, "-m", "harness", "focus", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=580)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    images = [frame.image for frame, _ in scene(1, frames=420, squares=15)]
    return write_video(tmp_path_factory.mktemp("tune") / "squares.avi", images)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, recorded):
    """A tuned model, and what was printed."""
    path = tmp_path_factory.mktemp("tuned") / "models" / "squares.tuned"
    done = focus("tune", recorded, "-o", path, "--network", EXPERT, "--steps", 10, "--policy", "opt-query")
    assert done.returncode == 0, done.stderr
    return path, done


@pytest.fixture(scope="module")
def other(tmp_path_factory, tuned):
    """A model that says of the stream it was tuned to what the recorded one does not show."""
    path, _ = tuned
    model = TunedModel.load(path)
    only_last = np.where(np.arange(len(model.shown)) == len(model.shown) - 1, 500, 0)
    found = tmp_path_factory.mktemp("other") / "other.tuned"
    TunedModel(model.network, model.settings, only_last, replace(model.how, seed=1)).save(found)
    return found


def test_the_front_is_printed_with_what_was_taken_of_it(tuned):
    path, done = tuned
    rows = [line for line in done.stdout.splitlines() if " pixels" in line]
    taken = [row for row in rows if "taken" in row]
    assert len(taken) == 1
    shares = r"( +[01]\.\d{3}){3}$"
    costs = [tuple(map(float, re.search(rf"(\d+\.\d) +(\d+\.\d){shares}", row.rstrip()).groups()[:2])) for row in rows]
    assert costs == sorted(costs)
    assert [query for _, query in costs] == sorted((query for _, query in costs), reverse=True), (
        "no point beats another"
    )
    assert costs[rows.index(taken[0])][1] == min(query for _, query in costs)
    assert f"harness focus ingest --tuned {path}" in done.stdout.replace("\n", " ")


def test_ingest_uses_it_and_a_query_asks_the_network_that_it_was_tuned_to(tmp_path, recorded, tuned):
    path, _ = tuned
    model = TunedModel.load(path)
    done = focus("ingest", recorded, "-i", tmp_path, "--tuned", path, "--window", 20)
    assert done.returncode == 0, done.stderr
    assert "specialise anew" not in done.stderr, "it is the stream that it was tuned to"
    index = Index(tmp_path / "squares.avi.sqlite")
    assert index.classes == model.network.classes
    assert index.settings["network"] == model.network.identity
    assert (index.settings["k"], index.settings["threshold"]) == (model.settings.k, model.settings.threshold)
    label = index.classes[0]
    asked = focus("query", label, "-i", tmp_path, "--json")
    assert asked.returncode == 0, asked.stderr
    told = focus("query", label, "-i", tmp_path, "--json", "--network", EXPERT)
    assert json.loads(asked.stdout.splitlines()[-1]) == json.loads(told.stdout.splitlines()[-1])
    networks = {row[0] for row in index._db.execute("SELECT DISTINCT network FROM verdict")}
    assert networks == {"efficientnet-lite0, 32 pixels"}


def test_a_stream_that_changed_is_said_to_and_goes_on_with_a_network_for_what_it_shows(tmp_path, recorded, other):
    options = ("-i", tmp_path / "index", "--tuned", other, "--window", 35)
    done = focus("ingest", recorded, *options, "--respecialise")
    assert done.returncode == 0, done.stderr
    assert "than the" in done.stderr
    assert "specialised anew to its last" in done.stderr
    first, second = (Index(tmp_path / "index" / f"squares.avi{part}.sqlite") for part in ("", ".2"))
    assert second.settings["network"] != first.settings["network"]
    assert first.position().frames < second.position().frames == 420
    again = focus("ingest", recorded, *options)
    assert again.returncode == 0, again.stderr
    assert second.position().segments == Index(second.path).position().segments, "there is nothing left to do"


class Broken:
    """An expensive network that nobody can ask."""

    identity = "broken"
    classes = ("red",)

    def __init__(self):
        self.asked = 0

    def __call__(self, crops):
        self.asked += 1
        raise RuntimeError("out of memory")


def test_an_expensive_network_that_raises_does_not_stop_ingest(tmp_path, recorded, other, monkeypatch, capsys):
    expert = Broken()
    monkeypatch.setattr(tuned_module, "expensive", lambda name: expert)
    path = tmp_path / "squares.avi.sqlite"
    ingest_one(str(recorded), path, Made.of(other), Watched(35.0, respecialise=True), live=None)
    assert expert.asked == 1
    said = capsys.readouterr().err
    assert said.count(f"{recorded}: cannot be specialised anew: out of memory\n") == 1
    assert [found.name for found in tmp_path.iterdir() if found.suffix == ".sqlite"] == [path.name]
    assert Index(path).position().frames == 420


def test_a_file_that_is_no_tuned_model_is_refused(tmp_path, tuned):
    path, _ = tuned
    (tmp_path / "text.tuned").write_text("no model")
    network = Specialised.load(path).save(tmp_path)
    for wrong, says in (
        (tmp_path / "text.tuned", "is no specialised network"),
        (network, "harness focus tune makes one"),
    ):
        with pytest.raises(HarnessError, match=says):
            TunedModel.load(wrong)


def test_a_video_in_which_nothing_moves_is_one_line(tmp_path):
    still = write_video(tmp_path / "still.avi", [frame.image for frame, _ in scene(frames=60, squares=0)])
    done = focus("tune", still, "-o", tmp_path / "m.tuned", "--network", EXPERT)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: nothing moves in the video, so that there is nothing to tune to\n"
    assert not (tmp_path / "m.tuned").exists()
