"""The rank correlation, against another way to work it out: Pearson's on ranks that are counted pair by pair."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness_skewscout.estimators import degree_correlation

few = st.sampled_from([0.2, 0.4, 0.6, 0.8, 1.0])


def unit(degree: float, accuracy: float) -> dict[str, float]:
    return {"a.workload.degree": degree, "a.final_accuracy": accuracy}


@given(st.lists(st.tuples(few, few), min_size=2, max_size=12))
def test_it_is_pearsons_correlation_of_ranks(pairs: list[tuple[float, float]]) -> None:
    found = degree_correlation([unit(*pair) for pair in pairs])
    columns = [[pair[0] for pair in pairs], [-pair[1] for pair in pairs]]
    ranks = [[sum((x > y) + 0.5 * (x == y) for y in column) for x in column] for column in columns]
    if min(np.ptp(column) for column in ranks) == 0:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(np.corrcoef(ranks)[0, 1])


def test_accuracy_that_falls_with_the_degree_correlates_fully() -> None:
    degrees = [0.2, 0.4, 0.6, 0.8, 1.0]
    assert degree_correlation([unit(d, 1 - d**3) for d, _ in product(degrees, range(3))]) == pytest.approx(1)
    assert degree_correlation([unit(d, d) for d in degrees]) == pytest.approx(-1)
