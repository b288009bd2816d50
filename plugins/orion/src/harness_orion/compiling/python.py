"""The body itself as a kernel: what runs where nothing can be compiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from harness_orion.running.packing import Packed
from harness_orion.running.serial import run_entry


@dataclass(frozen=True)
class PythonRun:
    """Calls the body once for each entry; ``live`` is the argument that it runs over, whose elements ``val`` is."""

    function: FunctionType
    live: int | None = None

    def __call__(self, packed: Packed, start: int, stop: int, arguments: Sequence[Any], /) -> None:
        """Run entries [start, stop) in order."""
        for n in range(start, stop):
            key, value = packed.entry(n)
            run_entry(self.function, key, value if self.live is None else arguments[self.live][key], arguments)
