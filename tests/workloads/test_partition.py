"""Partitions of a training set: every sample in one place, as skewed as asked."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.datasets import ADULT
from harness.datasets.census import TEST_ROWS
from harness.errors import HarnessError
from harness.workloads.census import CensusMlp
from harness.workloads.fashion import FashionCnn
from harness.workloads.partition import by_dirichlet, by_field, by_label, check, even

LABELS = np.random.default_rng(0).integers(0, 10, 5000)


@settings(deadline=None, max_examples=30)
@given(places=st.integers(1, 10), degree=st.floats(0, 1), alpha=st.floats(0.05, 50), seed=st.integers(0, 99))
def test_every_sample_is_in_exactly_one_place(places: int, degree: float, alpha: float, seed: int) -> None:
    for parts in (
        even(len(LABELS), places, np.random.default_rng(seed)),
        by_label(LABELS, places, np.random.default_rng(seed), degree=degree),
        by_dirichlet(LABELS, places, np.random.default_rng(seed), alpha=alpha),
        by_field(LABELS, places),
    ):
        assert len(parts) == places
        np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(LABELS)))


def test_full_skew_gives_each_label_a_home_and_none_gives_it_everywhere() -> None:
    parts = by_label(LABELS, 5, np.random.default_rng(1), degree=1.0)
    assert [set(LABELS[part]) for part in parts] == [{k, k + 5} for k in range(5)]
    for part in by_label(LABELS, 5, np.random.default_rng(1), degree=0.0):
        counts = np.bincount(LABELS[part], minlength=10)
        assert counts.min() > 0.7 * len(part) / 10


@pytest.mark.parametrize("degree", [0.2, 0.4, 0.6, 0.8])
def test_the_share_at_home_is_the_degree_and_its_part_of_the_rest(degree: float) -> None:
    parts = by_label(LABELS, 5, np.random.default_rng(2), degree=degree)
    home = sum((LABELS[part] % 5 == place).sum() for place, part in enumerate(parts))
    assert home / len(LABELS) == pytest.approx(degree + (1 - degree) / 5, abs=0.02)


def test_small_alpha_is_more_skewed_than_large() -> None:
    def spread(alpha: float) -> float:
        parts = by_dirichlet(LABELS, 5, np.random.default_rng(3), alpha=alpha)
        counts = np.array([np.bincount(LABELS[part], minlength=10) for part in parts])
        return float((counts / counts.sum(0)).max(0).mean())

    assert spread(0.1) > spread(1.0) > spread(100.0)
    assert spread(1e4) == pytest.approx(0.2, abs=0.02)


def test_values_of_a_field_stay_together_in_places_of_like_size() -> None:
    field = np.repeat(np.arange(6), [100, 90, 80, 70, 60, 50])
    parts = by_field(field, 3)
    assert [len(part) for part in parts] == [150, 150, 150]
    assert sum(len(set(field[part])) for part in parts) == 6


def test_more_places_than_labels_are_refused() -> None:
    with pytest.raises(HarnessError, match="12 partitions by label need as many labels, and there are 10"):
        by_label(LABELS, 12, np.random.default_rng(0), degree=0.5)
    with pytest.raises(HarnessError, match="12 partitions by field"):
        by_field(LABELS, 12)


def test_a_place_that_cannot_fill_a_minibatch_is_refused() -> None:
    with pytest.raises(HarnessError, match="partition 1 is empty"):
        check([np.arange(5), np.arange(0)], 2)
    with pytest.raises(HarnessError, match="partition 0 has 5 samples, fewer than its minibatch of 8"):
        check([np.arange(5), np.arange(9)], 8)


def test_a_workload_gives_the_same_partition_for_a_seed() -> None:
    workload = CensusMlp(partitions=2, split="label")
    one, other, third = (workload.partition(seed) for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    workload = CensusMlp(partitions=2, split="label", degree=0.5)
    assert not np.array_equal(workload.partition(0)[0], workload.partition(1)[0])
    assert third is not one


def test_a_workload_without_a_field_says_so() -> None:
    with pytest.raises(HarnessError, match="fashion-cnn has no field to split by"):
        FashionCnn(split="field", samples=100).partition(0)


def test_a_split_of_the_census_by_field_keeps_groups_together() -> None:
    workload = CensusMlp(split="field", grouped_by="education", partitions=4)
    groups = [set(workload.field()[part].tolist()) for part in workload.partition(0)]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 16
    masters = people_with("education", "Masters")
    (home,) = (part for part in workload.partition(0) if masters[0] in part)
    assert set(masters) <= set(home.tolist())


def people_with(column: str, value: str) -> list[int]:
    rows = pq.read_table(ADULT.path("adult.parquet.brotli")).column(column).to_pylist()[TEST_ROWS:]
    return [row for row in np.flatnonzero([found == value for found in rows]).tolist() if row < 26_048]
