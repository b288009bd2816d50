"""Running sums of rows in generated code, against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

from harness_orion import DistArray, parallel_for


@pytest.mark.parametrize("length", [1, 3, 4, 8, 13, 64, 71])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_a_cumulated_row_is_numpys_whatever_its_length_and_touches_nothing_else(length: int, dtype: type) -> None:
    @parallel_for(5)
    def cumulate(key, val, A, B):
        (i,) = key
        B[i, 1:-1] = np.cumsum(A[i, 1:] * A[i, :-1])

    A = np.random.default_rng(length).integers(1, 9, (5, length + 1)).astype(dtype)
    given = DistArray(A), DistArray(np.full((5, length + 2), 7, np.float64))
    program = cumulate.compile(*given)
    program.run()
    assert program.how == "rows", program.why
    expected = np.cumsum(A[:, 1:] * A[:, :-1], axis=1, dtype=np.float64)
    assert given[1].values[:, 1:-1] == pytest.approx(expected)
    assert (given[1].values[:, [0, -1]] == 7).all()


def test_a_row_is_cumulated_before_what_reads_it_and_after_what_it_is_made_of() -> None:
    @parallel_for(6)
    def drawn(key, val, A, B):
        (i,) = key
        weights = A[i] + 1
        ends = weights.cumsum()
        weights = ends * 2
        B[i, 0] = (ends < 0.5 * ends[-1]).sum()
        B[i, 1] = weights[3] - ends[2]
        A[i] = ends

    rng = np.random.default_rng(0)
    plain, compiled = ((DistArray(rng.random((6, 19))), DistArray.zeros((6, 2))) for _ in range(2))
    compiled[0].values[...] = plain[0].values
    drawn(*plain)
    drawn.compile(*compiled).run()
    for a, b in zip(plain, compiled, strict=True):
        assert a.values == pytest.approx(b.values)
