"""Gradients in buckets, which replicas sum one after another."""

from __future__ import annotations

from collections.abc import Sequence

BUCKET_BYTES = 2**22  # so small that the first is on its way early, so large that messages are few


def buckets(sizes: Sequence[int], limit: int) -> list[list[int]]:
    """Indices from the last to the first, in groups that are full once they have reached so many bytes."""
    found: list[list[int]] = []
    held = limit
    for index in reversed(range(len(sizes))):
        if held >= limit:
            found.append([])
            held = 0
        found[-1].append(index)
        held += sizes[index]
    return found
