"""Normalised vectors and their patterns, against the distances that they stand for."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from harness_orion.analysis.vectors import Free, Least, PaperDistances, Pattern, Vector, distance, normalised, patterns
from harness_orion.reading.affine import UNKNOWN, Affine

REACH = 3
components = st.one_of(st.just(Free.ANY), st.integers(-2, 2))
vectors = st.lists(components, min_size=1, max_size=3).map(tuple)


def members(vector: Vector) -> set[tuple[int, ...]]:
    """Its distances within reach, made lexicographically positive."""
    choices = [range(-REACH, REACH + 1) if isinstance(c, Free) else [c] for c in vector]
    return {max(v, tuple(-x for x in v)) for v in product(*choices) if any(v)}


def fits(distance: tuple[int, ...], pattern: Pattern) -> bool:
    return all(p is Free.ANY or (d >= 1 if p is Least.ONE else d == p) for d, p in zip(distance, pattern, strict=True))


@given(vectors)
def test_patterns_hold_every_distance_and_no_other(vector: Vector) -> None:
    found = normalised(vector)
    real = members(vector)
    if found is None:
        assert not real
        return
    box = {max(v, tuple(-x for x in v)) for v in product(range(-REACH, REACH + 1), repeat=len(vector)) if any(v)}
    assert {v for v in box if any(fits(v, p) for p in patterns(found))} == real


def test_a_free_component_before_a_number_keeps_both_signs() -> None:
    assert patterns((Free.NONNEG, 1)) == {(0, 1), (Least.ONE, 1), (Least.ONE, -1)}


@given(vectors, st.lists(st.integers(-2, 2), min_size=3, max_size=3), st.booleans())
def test_a_skewing_that_the_rules_accept_separates_every_distance(
    vector: Vector, row: list[int], ordered: bool
) -> None:
    found = normalised(vector)
    if found is None or PaperDistances(found).escapes(tuple(row[: len(vector)]), ordered=ordered):
        return
    steps = [sum(c * d for c, d in zip(row, v, strict=False)) for v in members(vector)]
    assert all(s > 0 for s in steps) if ordered else all(s != 0 for s in steps)


subscripts = st.one_of(
    st.just(UNKNOWN),
    st.builds(Affine, st.sampled_from([(0, 0), (1, 0), (0, 1), (1, 1), (-1, 0), (2, 0)]), st.integers(0, 2)),
)


@given(st.lists(st.tuples(subscripts, subscripts), min_size=1, max_size=3))
def test_a_distance_vector_covers_every_meeting_of_two_references(axes: list[tuple[Affine, Affine]]) -> None:
    vector = distance(tuple(a for a, _ in axes), tuple(b for _, b in axes), 2)
    for x, y in product(product(range(3), repeat=2), repeat=2):
        if all(UNKNOWN in (a, b) or a.at(x) == b.at(y) for a, b in axes):
            assert vector is not None
            assert all(c in (Free.ANY, q - p) for c, p, q in zip(vector, x, y, strict=True))


def test_a_constant_less_an_index_is_not_an_index_plus_a_constant() -> None:
    assert distance((Affine((-1,), 3),), (Affine((1,), 3),), 1) == (Free.ANY,)
