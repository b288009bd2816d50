"""A change of what a stream shows is noticed, and chance is not taken for one."""

import numpy as np

from harness_focus.drift import drift

MIX = np.array([0.5, 0.3, 0.2, 0.0])


def window(rng: np.random.Generator, mix: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and tracks of so many tracks, of 1 to 40 objects each."""
    sizes = rng.integers(1, 41, count)
    return np.repeat(rng.choice(len(mix), count, p=mix), sizes), np.repeat(np.arange(count), sizes)


def test_an_unchanged_stream_hardly_ever_alarms_however_short_the_window():
    rng = np.random.default_rng(0)
    for count in (5, 30, 300):
        said = [drift(MIX, *window(rng, MIX, count), seed=n).drifted for n in range(100)]
        assert sum(said) <= 5


def test_a_new_class_is_noticed_and_said():
    rng = np.random.default_rng(1)
    found = drift(MIX, *window(rng, np.array([0.3, 0.1, 0.1, 0.5]), 60), seed=0)
    assert found.drifted
    assert "specialise anew" in str(found)
    assert 0.3 < found.distance < 0.7


def test_the_distance_is_the_total_variation_of_the_tracks_kinds():
    labels, tracks = np.array([0, 0, 1, 1, 1, 3, 3, 3, 3]), np.array([0, 0, 1, 1, 1, 1, 2, 2, 2])
    shares = np.array([1, 1, 0, 1]) / 3
    assert np.isclose(drift(MIX, labels, tracks, seed=0).distance, np.abs(shares - MIX).sum() / 2)
