"""A stream that comes to show other things is noticed as it is indexed, and goes on with a network for them."""

import numpy as np
import pytest
from scenes import COLOURS, HEIGHT, RATE, WIDTH, Cheap

from harness_focus.index.reading import Index
from harness_focus.ingest.indexing import Settings
from harness_focus.ingest.ingest import begin
from harness_focus.ingest.respecialising import part_after, parts
from harness_focus.ingest.watching import Watch
from harness_focus.video.reading import Frame

SETTINGS = Settings(k=2, threshold=0.1, differencing=0.0, segment_seconds=5.0, area=100)
CROSSING = 20  # frames that a square takes


def passing(colours, *, seed=0):
    """A square every two seconds that crosses a noisy background, in the colours given, one after another."""
    rng = np.random.default_rng(seed)
    for number in range(CROSSING, CROSSING * (len(colours) + 1)):
        image = rng.integers(95, 105, (HEIGHT, WIDTH, 3)).astype(np.uint8)
        turn, place = divmod(number - CROSSING, CROSSING)
        left = round(place * (WIDTH + 24) / CROSSING) - 24
        image[40:64, max(left, 0) : max(left + 24, 0)] = COLOURS[colours[turn]]
        yield Frame(number - CROSSING, (number - CROSSING) / RATE, image)


def drifts(path, colours, before):
    ingest = begin(path, "squares", Cheap(), SETTINGS)
    watch = Watch(ingest.recorder, np.array(before), window=60.0)
    found = [watch.look(segment.seconds) for segment in ingest.run(passing(colours))]
    return [drift for drift in found if drift]


def test_a_stream_that_changes_is_noticed_when_it_does_and_not_before(tmp_path):
    rng = np.random.default_rng(2)
    colours = [*rng.choice(["red", "green"], 60), *rng.choice(["blue", "white"], 35)]
    found = drifts(tmp_path / "a.sqlite", colours, [60, 60, 0, 0])
    assert [drift.drifted for drift in found] == [False, False, True]
    assert found[-1].distance > 0.9


def test_an_unchanged_stream_is_not_said_to_differ(tmp_path):
    colours = np.random.default_rng(4).choice(list(COLOURS), 95, p=[0.4, 0.3, 0.2, 0.1])
    found = drifts(tmp_path / "a.sqlite", colours, [80, 60, 40, 20])
    assert [drift.drifted for drift in found] == [False] * 3


def test_a_part_goes_on_where_the_one_before_ends(tmp_path):
    path, colours = tmp_path / "yard.avi.sqlite", ["red", "blue"] * 15
    first = begin(path, "squares", Cheap(), SETTINGS)
    segments = first.run(passing(colours))
    for _ in range(6):
        next(segments)
    second = begin(part_after(path, path), "squares", Cheap(), SETTINGS, after=first.recorder)
    list(second.run(passing(colours)))
    assert [part.name for part in parts(path)] == ["yard.avi.sqlite", "yard.avi.2.sqlite"]
    assert part_after(parts(path)[-1], path).name == "yard.avi.3.sqlite"
    whole = begin(tmp_path / "whole.sqlite", "squares", Cheap(), SETTINGS)
    list(whole.run(passing(colours)))
    ends = [Index(part).position().frames for part in parts(path)]
    assert ends == [300, 600]
    seen = [set(Index(part).likeliest(-1, 60)) for part in (*parts(path), tmp_path / "whole.sqlite")]
    assert {row[:5] for row in seen[0] | seen[1]} == {row[:5] for row in seen[2]}
    assert not {row[0] for row in seen[0]} & {row[0] for row in seen[1]}


@pytest.mark.parametrize("name", ["a.sqlite", "10.0.0.7-554.sqlite"])
def test_a_stream_without_further_parts_is_its_first_alone(tmp_path, name):
    assert parts(tmp_path / name) == [tmp_path / name]
