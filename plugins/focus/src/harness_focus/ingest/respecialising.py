"""A stream in parts: where it comes to show something else, a new part begins, with a network for what it shows now.

The parts of ``yard.avi.sqlite`` are that index, ``yard.avi.2.sqlite`` and so on; beside each but the first is the tuned
model that it is made with, ``yard.avi.2.tuned``. Each begins at the frame where the one before ends.
"""

from __future__ import annotations

from pathlib import Path


def parts(path: Path) -> list[Path]:
    """The indexes of a stream, in order: its first one, which need not be there yet, and those that follow it."""
    found = [path]
    while (following := part_after(found[-1], path)).exists():
        found.append(following)
    return found


def part_after(part: Path, first: Path) -> Path:
    """Where the part after one lies, or will."""
    number = 1 if part == first else int(part.stem.rpartition(".")[2])
    return first.with_name(f"{first.stem}.{number + 1}{first.suffix}")


def model_of(part: Path) -> Path:
    """Where the tuned model of a part lies that is not the first."""
    return part.with_suffix(".tuned")
