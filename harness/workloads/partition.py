"""Dividing a training set over places: evenly at random, by label, by Dirichlet shares, or by a field of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError

Indices = NDArray[np.int64]


def even(count: int, places: int, rng: np.random.Generator) -> list[Indices]:
    """Random parts whose sizes differ by at most one (IID)."""
    return [np.sort(part) for part in np.array_split(rng.permutation(count), places)]


def by_label(labels: NDArray[Any], places: int, rng: np.random.Generator, *, degree: float) -> list[Indices]:
    """A share ``degree`` of the samples goes to place ``label mod places``, the rest evenly.

    Source: Hsieh et al., ICML 2020, section 3.
    """
    kinds = len(np.unique(labels))
    if degree > 0 and kinds < places:
        raise HarnessError(f"{places} partitions by label need as many labels, and there are {kinds}; use fewer")
    order = rng.permutation(len(labels))
    bound, free = np.split(order, [round(degree * len(labels))])
    rest = even(len(free), places, rng)
    codes = np.unique(labels, return_inverse=True)[1]
    return [np.sort(np.concatenate([bound[codes[bound] % places == k], free[rest[k]]])) for k in range(places)]


def by_dirichlet(labels: NDArray[Any], places: int, rng: np.random.Generator, *, alpha: float) -> list[Indices]:
    """Each label's samples are shared out in proportions drawn from a symmetric Dirichlet (Hsu et al., 2019)."""
    parts: list[list[Indices]] = [[] for _ in range(places)]
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        shares = rng.dirichlet(np.full(places, alpha))
        cuts = np.rint(np.cumsum(shares)[:-1] * len(members)).astype(int)
        for part, piece in zip(parts, np.split(members, cuts), strict=True):
            part.append(piece)
    return [np.sort(np.concatenate(part)) for part in parts]


def by_field(field: NDArray[Any], places: int) -> list[Indices]:
    """Samples with one value of the field stay together; the largest groups go to the emptiest places first."""
    values, counts = np.unique(field, return_counts=True)
    if len(values) < places:
        raise HarnessError(f"{places} partitions by field need as many values, and there are {len(values)}; use fewer")
    held: list[list[Any]] = [[] for _ in range(places)]
    sizes = np.zeros(places, np.int64)
    for index in np.argsort(-counts, kind="stable"):
        place = int(np.argmin(sizes))
        held[place].append(values[index])
        sizes[place] += counts[index]
    return [np.flatnonzero(np.isin(field, chosen)) for chosen in held]


def check(parts: Sequence[Indices], smallest: int) -> None:
    """Refuse a part that is empty, or too small for one minibatch."""
    for place, part in enumerate(parts):
        if len(part) < max(1, smallest):
            what = "is empty" if not len(part) else f"has {len(part)} samples, fewer than its minibatch of {smallest}"
            raise HarnessError(f"partition {place} {what}; use fewer partitions, more samples or less skew")
