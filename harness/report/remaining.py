"""How long the cells that are left may take, told from those that are done."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from harness.records import CellResult, CellSpec

Key = tuple[str, ...]


class Remaining:
    """What the finished cells took, by likeness: a cell is expected to take what the most alike took on average."""

    def __init__(self, cells: Iterable[CellSpec]) -> None:
        self._left = Counter(cell.group for cell in cells)
        self._seconds: defaultdict[Key, float] = defaultdict(float)
        self._count: Counter[Key] = Counter()

    def learn(self, result: CellResult) -> None:
        """Take a finished cell off what is left; what it took tells of its like."""
        self._left[result.cell.group] -= 1
        if result.seconds is not None:
            for key in _levels(result.cell.group):
                self._seconds[key] += result.seconds
                self._count[key] += 1

    def seconds(self) -> float | None:
        """The time of all cells that are left, one after another; ``None`` where nothing tells of any."""
        means = {group: self._mean(group) for group, count in self._left.items() if count > 0}
        if None in means.values():
            return None
        return sum(self._left[group] * (mean or 0.0) for group, mean in means.items())

    def _mean(self, group: Key) -> float | None:
        return next((self._seconds[k] / self._count[k] for k in _levels(group) if self._count[k]), None)


def _levels(group: Key) -> Iterator[Key]:
    """The group itself, then ever larger ones: any device, any parallelizer, any workload, any suite."""
    for length in range(len(group), -1, -1):
        yield group[:length]
