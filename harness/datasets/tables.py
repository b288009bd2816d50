"""Rows of categories, and how columns of any kind become them.

A row is kept as the positions of its ones among ``dimension`` binary features: 10 to 20 times
smaller than dense rows, and a CSR matrix once the starts of the rows are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

QUINTILES = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Table:
    """Rows of categories with a label each.

    ``columns`` (n, k) int32 says which k of the ``dimension`` features are 1; one that stands twice in
    a row counts twice. ``labels`` (n,) is -1 or 1; ``times`` (n,), in seconds, is when each row happened.
    """

    columns: NDArray[np.int32]
    dimension: int
    labels: NDArray[np.float64]
    times: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.columns)

    def dense(self) -> NDArray[np.float64]:
        """The rows as numbers, (n, dimension)."""
        import numpy as np

        rows = np.zeros((len(self), self.dimension))
        np.add.at(rows, (np.arange(len(self))[:, None], self.columns), 1.0)
        return rows


def codes(column: Any) -> NDArray[np.int64]:
    """Categories of an Arrow column, numbered by their sorted values."""
    values = column.to_numpy(zero_copy_only=False)
    return dense_codes(values.astype(str) if values.dtype == object else values)


def dense_codes(values: NDArray[Any]) -> NDArray[np.int64]:
    """Values numbered from 0 in their order, without gaps."""
    import numpy as np

    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def quintiles(values: NDArray[Any]) -> NDArray[np.int64]:
    """Which fifth a quantity lies in, its upper cut included; equal cuts (most capital gains are 0) count once."""
    import numpy as np

    cuts = np.unique(np.quantile(values, QUINTILES))
    return dense_codes(np.searchsorted(cuts, values, side="left"))


def side_by_side(groups: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int32], int]:
    """Give each group of codes a range of columns of its own: columns (n, groups), and how many there are."""
    import numpy as np

    widths = [int(group.max()) + 1 for group in groups]
    starts = np.concatenate([[0], np.cumsum(widths)[:-1]])
    return (np.stack(groups, axis=1) + starts).astype(np.int32), sum(widths)


def signs(positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """1 where true, -1 elsewhere."""
    import numpy as np

    return np.where(positive, 1.0, -1.0)


def hashed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64 (Steele, Lea, Flood 2014) of each value: the same on every machine and in every process."""
    import numpy as np

    with np.errstate(over="ignore"):
        z = values + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
