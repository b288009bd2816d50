"""MovieLens-100k: ratings of films with the times they were given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.datasets.declared import MOVIELENS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Ratings:
    """Ratings in the order of their times: ``users`` and ``items`` (n,) int32 from 0, ``times`` (n,) s."""

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    ratings: NDArray[np.float64]
    times: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.users)


@cache
def movielens() -> Ratings:
    """MovieLens-100k, oldest rating first."""
    import numpy as np
    import pyarrow.parquet as pq

    table = pq.read_table(MOVIELENS.path("MovieLens100k_data.parquet.brotli"))
    raw: Mapping[str, Any] = {name: table.column(name).to_numpy() for name in table.column_names}
    order = np.argsort(raw["timestamp"], kind="stable")
    return Ratings(
        users=(raw["user_id"][order] - 1).astype(np.int32),
        items=(raw["movie_id"][order] - 1).astype(np.int32),
        ratings=raw["rating"][order].astype(np.float64),
        times=raw["timestamp"][order].astype(np.float64),
    )
