"""Precision and recall of segments, against plain counting."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness_focus.footage.scoring import Outcomes

marks = st.integers(1, 4).flatmap(
    lambda classes: st.lists(
        st.tuples(*(st.tuples(st.booleans(), st.booleans()) for _ in range(classes)), st.integers(0, 3)),
        min_size=1,
        max_size=12,
    )
)


@given(marks)
def test_weighted_scores_are_those_of_seconds_repeated_as_often(rows):
    pairs = np.array([row[:-1] for row in rows])  # (seconds, classes, found and true)
    weights = np.array([row[-1] for row in rows], dtype=float)
    scores = Outcomes(pairs[:, :, 0].T, pairs[:, :, 1].T).scores(weights)
    repeated = [row[:-1] for row in rows for _ in range(row[-1])]
    precisions, recalls = [], []
    for label in range(pairs.shape[1]):
        found = [truth for row in repeated for shown, truth in [row[label]] if shown]
        true = [shown for row in repeated for shown, truth in [row[label]] if truth]
        precisions += [sum(found) / len(found)] if found else []
        recalls += [sum(true) / len(true)] if true else []
        assert (
            np.isclose(scores.precision[label], sum(found) / len(found)) if found else np.isnan(scores.precision[label])
        )
    mean = [sum(shares) / len(shares) if shares else 1.0 for shares in (precisions, recalls)]
    np.testing.assert_allclose(scores.macro, mean)


def test_several_weightings_are_scored_at_once():
    rng = np.random.default_rng(0)
    outcomes = Outcomes(rng.random((3, 20)) < 0.5, rng.random((3, 20)) < 0.5)
    weights = rng.random((5, 20))
    together = outcomes.scores(weights).macro
    for row, weighting in enumerate(weights):
        np.testing.assert_allclose([share[row] for share in together], outcomes.scores(weighting).macro)
