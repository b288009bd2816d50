from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from harness.intervals import Intervals, length, subtract, union

GRID = 40
whole = st.lists(st.tuples(st.integers(0, GRID), st.integers(0, GRID)).map(lambda p: (float(min(p)), float(max(p)))))


def cells(intervals: Intervals) -> set[int]:
    """Brute force: the unit cells of the grid that some interval covers."""
    return {cell for start, end in intervals for cell in range(int(start), int(end))}


@given(whole)
def test_a_union_is_disjoint_in_order_and_covers_the_same_cells(intervals: Intervals) -> None:
    united = union(intervals)
    assert cells(united) == cells(intervals)
    assert length(united) == len(cells(intervals))
    assert all(end < start for (_, end), (start, _) in pairwise(united))


@given(whole, whole)
def test_subtracting_leaves_the_cells_that_no_hole_covers(intervals: Intervals, holes: Intervals) -> None:
    left = subtract(union(intervals), union(holes))
    assert cells(left) == cells(intervals) - cells(holes)
    assert length(left) == len(cells(intervals) - cells(holes))
