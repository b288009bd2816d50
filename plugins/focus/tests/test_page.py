"""A query's page: what it says is what was found, it needs nothing else, and a browser shows it."""

import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from scenes import Cheap, Expensive, colour_of, scene

from harness import HarnessError
from harness.testing.browser import seen, violations
from harness_focus.index.reading import Index
from harness_focus.ingest.indexing import Settings
from harness_focus.ingest.ingest import begin
from harness_focus.query.page import clock, render, write_page
from harness_focus.query.query import Answer, Query, hits

SETTINGS = Settings(k=4, threshold=0.2, differencing=0.0, segment_seconds=2.0, area=100)


class Elements(HTMLParser):
    """All elements with their attributes, and the text."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def of(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What is found of red squares in two scenes, and of squares in a scene without any."""
    folder = tmp_path_factory.mktemp("page")
    found = []
    for number, squares in enumerate((12, 12, 0)):
        path = folder / f"{number}.sqlite"
        frames = (frame for frame, _ in scene(number, squares=squares))
        list(begin(path, f"<scene> & {number}", Cheap(), SETTINGS).run(frames))
        index, query = Index(path), Query("red", 4)
        found.append(Answer.of(index, query, hits(index, query, Expensive())))
    return found


@pytest.fixture(scope="module")
def page(answers):
    return render(answers)


def pixels(source):
    kind, data = source.split(",", 1)
    assert kind == "data:image/jpeg;base64"
    bgr = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    return bgr[:, :, ::-1]


def test_each_cluster_found_is_a_picture_of_what_was_asked_for(answers, page):
    images = Elements(page).of("img")
    assert len(images) == sum(len(answer.hits) for answer in answers) > 1
    assert {colour_of(pixels(image["src"])) for image in images} == {"red"}
    shown = [hit for answer in answers for hit in answer.hits]
    assert all(clock(hit.frames[0][1]) in image["alt"] for hit, image in zip(shown, images, strict=True))


def test_bars_cover_the_seconds_found_and_no_others(answers, page):
    lines = re.findall(r'<div class="line"><svg viewBox="0 0 ([\d.]+) 1".*?</svg>', page)
    drawn = re.findall(r'<div class="line"><svg.*?</svg>', page)
    assert [float(width) for width in lines] == [answer.until for answer in answers]
    for answer, line in zip(answers, drawn, strict=True):
        bars = [(int(bar["x"]), int(bar["width"])) for bar in Elements(line).of("rect") if bar["class"] == "found"]
        assert [second for x, width in bars for second in range(x, x + width)] == list(answer.seconds)
    assert answers[0].seconds
    assert not answers[2].seconds


def test_sources_are_text_not_markup(page):
    assert "<scene>" not in page
    assert "<scene> & 0" in Elements(page).text


def test_a_page_that_cannot_be_written_says_so_in_one_line(answers, tmp_path):
    with pytest.raises(HarnessError, match="the page cannot be written: No such file or directory"):
        write_page(answers, tmp_path / "absent" / "page.html")


def test_moments_are_written_as_clocks_do():
    assert [clock(s) for s in (0, 59.99, 61, 3600, 36_061)] == ["0:00", "0:59", "1:01", "1:00:00", "10:01:01"]


SEEN = """
const look = async () => ({
  loaded: [...document.images].map((image) => image.complete && image.naturalWidth > 0),
  bars: [...document.querySelectorAll(".line .found")].map((bar) => bar.getBoundingClientRect().width),
  wide: document.documentElement.scrollWidth > innerWidth,
  asked: performance.getEntriesByType("resource").filter((e) => !e.name.startsWith("data:")).length,
});
"""


def test_a_browser_shows_every_picture_and_bar_and_fetches_nothing(answers, page, tmp_path):
    found = seen(page, SEEN, tmp_path)
    assert found["loaded"] == [True] * sum(len(answer.hits) for answer in answers)
    assert found["bars"]
    assert min(found["bars"]) > 1
    assert (found["wide"], found["asked"]) == (False, 0)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_to_complain_of(page, tmp_path, dark):
    assert violations(page, tmp_path, dark=dark) == []
