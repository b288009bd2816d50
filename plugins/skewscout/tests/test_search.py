"""The searches: where a stub of the accuracy loss must drive them, and what they remember."""

from __future__ import annotations

import numpy as np
import pytest

from harness_skewscout.search import Kind, Search

KINDS: list[Kind] = ["hill-climbing", "stochastic", "annealing"]
GRID = 6


def settings(kind: Kind, loss_of: list[float], periods: int = 60) -> list[int]:
    """The settings visited where the accuracy loss of each is given and looser is cheaper."""
    search = Search(kind, GRID, 2, np.random.default_rng(1))
    visited = []
    for _ in range(periods):
        here = search.current
        objective = 50 * max(0.0, loss_of[here] - 0.05) + 1 / (1 + here)
        visited.append(search.next(objective=objective, too_costly=loss_of[here] > 0.05))
    return visited


@pytest.mark.parametrize("kind", KINDS)
def test_no_loss_drives_to_the_loosest_and_full_loss_to_the_tightest(kind: Kind) -> None:
    assert settings(kind, [0.0] * GRID)[-1] == GRID - 1
    assert settings(kind, [1.0] * GRID)[-1] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_it_settles_about_the_loosest_setting_that_is_tolerated(kind: Kind) -> None:
    visited = settings(kind, [0.0, 0.0, 0.01, 0.04, 0.3, 0.6])
    assert max(visited) <= 4
    assert np.mean(np.array(visited[10:]) == 3) >= 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_steps_go_to_neighbours_and_stay_on_the_grid(kind: Kind) -> None:
    rng = np.random.default_rng(2)
    search = Search(kind, GRID, 0, rng)
    before = 0
    for _ in range(200):
        after = search.next(objective=rng.random(), too_costly=bool(rng.random() < 0.5))
        assert 0 <= after < GRID
        assert abs(after - before) <= 1
        before = after


def test_what_was_found_long_ago_is_tried_again() -> None:
    search = Search("hill-climbing", 2, 1, np.random.default_rng(0), memory=3)
    assert search.next(objective=9.0, too_costly=True) == 0
    assert [search.next(objective=1.0, too_costly=False) for _ in range(4)] == [0, 0, 0, 1]
