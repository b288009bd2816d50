"""Hierarchies of links: what is read, what is refused, and what lies between two ranks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness import HarnessError
from harness_links import Level, Simulated, Topology

TWO_LEVELS = """
[[levels]]
workers = 4
bandwidth = "10 GB/s"
latency = "5 us"

[[levels]]
workers = 2
bandwidth = "10 Gbit/s"
latency = "50 us"
"""


def topology(*levels):
    return Topology(levels=[Level(workers=m, bandwidth=b, latency=t) for m, b, t in levels])


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "links.toml"
    path.write_text(TWO_LEVELS, encoding="utf-8")
    return path


def test_a_file_gives_the_levels_in_bytes_and_seconds(file):
    links = Topology.read(file)
    assert links.workers == 8
    assert [(level.workers, level.bytes_per_second, level.latency) for level in links.levels] == [
        (4, 10e9, pytest.approx(5e-6)),
        (2, 1.25e9, pytest.approx(50e-6)),
    ]
    assert Simulated(topology=str(file)).links() == links


def test_fields_of_the_device_give_the_same_as_a_file(file):
    levels = [
        {"workers": 4, "bandwidth": "10 GB/s", "latency": "5 us"},
        {"workers": 2, "bandwidth": "10 Gbit/s", "latency": "50 us"},
    ]
    assert Simulated(levels=levels).links() == Topology.read(file)


def test_ranks_meet_at_the_lowest_level_that_joins_them(file):
    links = Topology.read(file)
    assert links.route(0, 3) == (0, 10e9, pytest.approx(5e-6))
    assert links.route(3, 4) == (1, 1.25e9, pytest.approx(50e-6))
    assert links.route(3, 4).seconds(1.25e9) == pytest.approx(1 + 50e-6)


def test_a_route_is_as_slow_as_its_slowest_level():
    assert topology((4, 1e6, 0), (2, 1e9, 0)).route(0, 7).bytes_per_second == 1e6


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.data())
def test_two_ranks_meet_where_their_mixed_radix_digits_last_differ(counts, data):
    links = topology(*((m, 1 + k, k) for k, m in enumerate(counts)))
    a, b = (data.draw(st.integers(0, links.workers - 1)) for _ in range(2))
    if a == b:
        return

    def digits(rank):
        return [rank // links.sizes[k] % m for k, m in enumerate(counts)]

    meet = max(k for k, (x, y) in enumerate(zip(digits(a), digits(b), strict=True)) if x != y)
    assert links.route(a, b).level == links.route(b, a).level == meet
    assert links.route(a, b).latency == meet


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "levels is missing"),
        ("levels = []", "levels: .*at least 1 item"),
        ("levels = [", "not valid TOML"),
        (
            'levels = [{workers = 4, bandwidth = "0 Mbit/s"}]',
            r"levels\[0\].bandwidth: .*greater than 0, not 0",
        ),
        ("levels = [{workers = 4, bandwidth = -1}]", r"levels\[0\].bandwidth: .*greater than 0, not -1"),
        ('levels = [{workers = 4, bandwidth = "10 Gbps"}]', r"levels\[0\].bandwidth: .*did you mean 'Gbit/s'"),
        ('levels = [{workers = 4, bandwidth = "1 GB/s", latency = "-1 us"}]', r"levels\[0\].latency: write a number"),
        ('levels = [{workers = 0, bandwidth = "1 GB/s"}]', r"levels\[0\].workers: .*greater than 0"),
        ("levels = [{workers = 4}]", r"levels\[0\].bandwidth is missing"),
        ('levels = [{workers = 4, bandwith = "1 GB/s"}]', r"levels\[0\].bandwi"),
    ],
)
def test_a_wrong_file_says_in_one_line_where_and_what(tmp_path, text, message):
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(HarnessError, match=message) as caught:
        Topology.read(path)
    assert caught.value.where == str(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(HarnessError, match=r"nowhere\.toml: cannot be read"):
        Topology.read(tmp_path / "nowhere.toml")


def test_a_rate_of_zero_is_refused_by_the_device():
    with pytest.raises(ValidationError, match="greater than 0"):
        Simulated(levels=[{"workers": 2, "bandwidth": "0 Gbit/s"}])


def test_more_workers_than_there_is_room_for_are_refused():
    with pytest.raises(HarnessError, match="room for 4 x 2 workers, not for 9"):
        topology((4, 1, 0), (2, 1, 0)).check(9)
