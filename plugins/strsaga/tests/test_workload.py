"""From data to streams: what a seed decides, and what it does not."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness import HarnessError
from harness_strsaga.sampling import Source, ones, split
from harness_strsaga.stream import Dense, Pairs, Stream
from harness_strsaga.workload import StreamWorkload

N = 400
PATTERNS = ["constant", "poisson", "skewed", "bursts", "own"]


class Numbered(StreamWorkload):
    """Points that carry their own number, so that it shows where they went."""

    name: ClassVar[str] = "numbered"
    has_times: ClassVar[bool] = True

    def source(self) -> Source:
        numbers = np.arange(N, dtype=np.float64)
        return Source(Dense(np.stack([numbers, -numbers], axis=1)), numbers, numbers**2)

    def problem(self) -> Mapping[str, Any]:
        return {"loss": "ridge"}


class Timeless(Numbered):
    """The same without times."""

    name: ClassVar[str] = "timeless"
    has_times: ClassVar[bool] = False


def numbers(stream: Stream) -> tuple[list[float], list[float]]:
    return stream.targets.tolist(), stream.held_out_targets.tolist()


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(PATTERNS), st.integers(0, 2**32), st.floats(0.01, 0.99), st.none() | st.integers(200, 500)
)  # fmt: skip
def test_every_used_point_arrives_once_or_is_held_out(
    arrivals: Any, seed: int, held_out: float, points: int | None
) -> None:
    stream = Numbered(arrivals=arrivals, held_out=held_out, points=points, steps=20).stream(seed)
    learned, judged = numbers(stream)
    used = min(N, points or N)
    assert len(judged) == round(used * held_out)
    assert len({*learned, *judged}) == len(learned) + len(judged) == used
    assert stream.arrivals.sum() == len(learned)
    assert len(stream.arrivals) == 20
    np.testing.assert_array_equal(stream.points.rows[:, 0], stream.targets)  # type: ignore[union-attr]
    np.testing.assert_array_equal(stream.held_out.rows[:, 1], -stream.held_out_targets)  # type: ignore[union-attr]


def test_with_their_own_times_points_keep_their_order_and_come_first_to_last() -> None:
    stream = Numbered(arrivals="own", points=100, steps=10).stream(3)
    learned, judged = numbers(stream)
    assert learned == sorted(learned)
    assert max(learned + judged) == 99
    times = stream.targets**2
    edges = np.linspace(times[0], times[-1], 11)
    expected = [int(((times >= a) & (times < b)).sum()) for a, b in pairwise(edges)]
    expected[-1] += 1  # the last point lies on the last edge
    assert stream.arrivals.tolist() == expected


def test_otherwise_their_order_is_random() -> None:
    learned, _ = numbers(Numbered().stream(3))
    assert abs(np.corrcoef(learned, range(len(learned)))[0, 1]) < 0.2


def test_a_seed_gives_one_stream_and_another_seed_another() -> None:
    workload = Numbered(arrivals="bursts")
    again = pickle.loads(pickle.dumps(workload))
    assert numbers(workload.stream(1)) == numbers(again.stream(1))
    assert workload.stream(1).arrivals.tolist() == again.stream(1).arrivals.tolist()
    assert numbers(workload.stream(1)) != numbers(workload.stream(2))
    assert workload.stream(1).arrivals.tolist() != workload.stream(2).arrivals.tolist()


def test_the_split_is_the_same_whatever_the_random_pattern() -> None:
    splits = {tuple(numbers(Numbered(arrivals=a).stream(5))[1]) for a in ("constant", "poisson", "skewed", "bursts")}
    assert len(splits) == 1


def test_rho_is_a_multiple_of_lambda_and_at_least_one() -> None:
    workload = Numbered(gradients_per_point=2.5, steps=36)
    assert workload.rho(workload.stream(0)) == 25  # 360 points in 36 steps
    slow = Numbered(gradients_per_point=0.001)
    assert slow.rho(slow.stream(0)) == 1


def test_a_description_says_dimension_and_arrivals_as_json() -> None:
    workload = Numbered(steps=4, arrivals="constant")
    described = workload.describe(workload.stream(0))
    assert described == {"dimension": 2, "arrived": [90, 180, 270, 360], "rho": 450, "held_out": 40}


def test_own_arrivals_of_points_without_times_are_refused_at_once() -> None:
    with pytest.raises(ValidationError, match="the points of timeless have no times"):
        Timeless(arrivals="own")


def test_a_split_that_leaves_a_side_empty_is_refused() -> None:
    with pytest.raises(HarnessError, match=r"held_out: 0\.1 of 3 points"):
        split(3, points=None, held_out=0.1, ordered=False, rng=np.random.default_rng(0))


@given(st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=1, max_size=8))
def test_listed_columns_become_rows_with_each_column_once(lists: list[list[int]]) -> None:
    columns = np.array(lists, np.int32)
    expected = np.zeros((len(lists), 6))
    np.add.at(expected, (np.arange(len(lists))[:, None], columns), 1.0)
    rows = ones(columns, 6)
    np.testing.assert_array_equal(rows.matrix().toarray(), expected)
    assert len(rows.columns) == np.count_nonzero(expected)
    unit = ones(columns, 6, unit=True).matrix().toarray()
    np.testing.assert_allclose(unit, expected / np.linalg.norm(expected, axis=1, keepdims=True))


def test_pairs_and_sparse_rows_are_taken_in_the_order_asked_for() -> None:
    index = np.array([2, 0])
    pairs = Source(Pairs(np.array([0, 1, 2], np.int32), np.array([3, 4, 5], np.int32), 3, 6), np.arange(3.0))
    assert pairs.take(index).points.users.tolist() == [2, 0]  # type: ignore[union-attr]
    assert pairs.take(index).points.items.tolist() == [5, 3]  # type: ignore[union-attr]
    rows = ones(np.array([[0, 1], [2, 3], [1, 3]], np.int32), 4)
    taken = Source(rows, np.arange(3.0)).take(index)
    np.testing.assert_array_equal(taken.points.matrix().toarray(), [[0, 1, 0, 1], [1, 1, 0, 0]])  # type: ignore[union-attr]
    assert taken.targets.tolist() == [2, 0]
