"""Sets of points in time: intervals that are united, cut and measured."""

from __future__ import annotations

from collections.abc import Iterable

Intervals = list[tuple[float, float]]


def union(intervals: Iterable[tuple[float, float]]) -> Intervals:
    """The same points in time as disjoint intervals, in order."""
    merged: Intervals = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def length(intervals: Iterable[tuple[float, float]]) -> float:
    """The measure of disjoint intervals."""
    return sum(end - start for start, end in intervals)


def subtract(intervals: Intervals, holes: Intervals) -> Intervals:
    """What disjoint intervals, in order, leave when disjoint holes, in order, are cut out."""
    left: Intervals = []
    for start, end in intervals:
        for opens, closes in holes:
            if closes <= start or opens >= end:
                continue
            if opens > start:
                left.append((start, opens))
            start = closes
        if start < end:
            left.append((start, end))
    return left
