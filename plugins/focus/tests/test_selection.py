"""Which settings are sure to meet a target, and which of them no other beats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness_focus.footage.footage import TEST, TRAINING, VALIDATION, Footage
from harness_focus.footage.scoring import Outcomes
from harness_focus.tuning.selection import CONFIDENCE, Bounds, Scored, Setting, front, units


def tracks_of(count: int, *, part: int = VALIDATION) -> Footage:
    """A stream of tracks that last two seconds each, with a second of nothing after each."""
    seconds = np.concatenate([[3.0 * n, 3.0 * n + 1] for n in range(count)])
    return Footage(
        frames=seconds.astype(np.int64),
        seconds=seconds,
        boxes=np.zeros((len(seconds), 4), dtype=np.int64),
        crops=[],
        labels=np.zeros(len(seconds), dtype=np.int64),
        classes=("one",),
        frames_in=dict.fromkeys(range(3 * count), 1),
        frame_seconds=np.arange(3 * count, dtype=float),
        parts=np.full(3 * count, part, dtype=np.int8),
        tracks=np.repeat(np.arange(count), 2),
    )


def outcomes_of(footage: Footage, wrong: np.ndarray) -> Outcomes:
    """Every track found but the wrong ones, whose seconds are missed."""
    true = np.zeros(len(footage.frame_seconds), dtype=bool)
    true[footage.frames] = True
    found = true.copy()
    found[footage.frames[wrong[footage.tracks]]] = False
    return Outcomes(found[None], true[None])


@pytest.mark.parametrize("count", [20, 60, 200])
def test_without_an_error_the_bound_is_that_of_jeffreys_prior(count):
    footage = tracks_of(count)
    bounds = Bounds(footage, seed=0, draws=20_000)
    _, recall, _, sure = bounds(outcomes_of(footage, np.zeros(count, dtype=bool)))
    assert recall == 1
    grid = (np.arange(400_000) + 0.5) / 400_000
    density = grid ** (count - 1) * (1 - grid) ** -0.5  # Beta(count, 1/2)
    cumulated = np.cumsum(density) / density.sum()
    assert sure == pytest.approx(grid[np.searchsorted(cumulated, 1 - CONFIDENCE)], abs=0.003)


def test_a_recall_below_the_target_is_seldom_held_for_sure():
    footage, rng = tracks_of(100), np.random.default_rng(0)
    bounds = Bounds(footage, seed=0)
    sure = [bounds(outcomes_of(footage, rng.random(100) < 0.1))[3] for _ in range(300)]
    assert 0 < np.mean(np.array(sure) > 0.9) <= 1 - CONFIDENCE + 0.07


def test_a_track_is_one_unit_however_long_it_lasts():
    footage = tracks_of(4)
    assert units(footage).tolist() == [0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7]


def test_seconds_of_other_parts_count_for_nothing():
    footage = tracks_of(60)
    footage.parts[90:] = TEST
    wrong = np.arange(60) >= 30
    precision, recall, _, _ = Bounds(footage, seed=0)(outcomes_of(footage, wrong))
    assert precision == recall == 1
    footage.parts[:90] = TRAINING
    footage.parts[90:] = VALIDATION
    assert Bounds(footage, seed=0)(outcomes_of(footage, wrong))[1] == 0


def scored(network: int, threshold: float, k: int, ingest: float, query: float, sure: float) -> Scored:
    return Scored(Setting(network, threshold, k), ingest, query, 1.0, 1.0, sure, sure)


settings = st.lists(
    st.builds(
        scored,
        network=st.integers(0, 2),
        threshold=st.sampled_from([0.1, 0.2, 0.3]),
        k=st.integers(1, 3),
        ingest=st.integers(1, 4),
        query=st.integers(1, 6),
        sure=st.sampled_from([0.9, 0.94, 0.96, 0.99]),
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda s: s.setting,
)


@given(settings)
def test_the_front_is_what_brute_force_finds(grid):
    meeting = [
        s
        for s in grid
        if all(
            o.sure >= 0.95
            for o in grid
            if (o.setting.network, o.setting.k) == (s.setting.network, s.setting.k)
            and o.setting.threshold <= s.setting.threshold
        )
    ]
    found = front(grid, target=0.95)
    assert found.met == bool(meeting)
    if meeting:
        costs = {(s.ingest, s.query) for s in meeting}
        best = {c for c in costs if not any(o != c and o[0] <= c[0] and o[1] <= c[1] for o in costs)}
        assert {(s.ingest, s.query) for s in found.points} == best
        assert found.chosen("opt-ingest").ingest == min(s.ingest for s in meeting)
        assert found.chosen("opt-query").query == min(s.query for s in meeting)
        assert sum(map(float, best_sum(found.chosen("balance")))) == min(s.ingest + s.query for s in meeting)
    else:
        assert all(s.sure >= max(o.sure for o in grid) - 0.005 for s in found.points)


def best_sum(s: Scored) -> tuple[float, float]:
    return s.ingest, s.query


def test_a_loose_threshold_that_is_lucky_is_not_taken():
    grid = [scored(0, 0.1, 1, 1, 9, 0.99), scored(0, 0.2, 1, 1, 5, 0.93), scored(0, 0.3, 1, 1, 1, 0.97)]
    assert front(grid).chosen("opt-query").setting.threshold == 0.1
