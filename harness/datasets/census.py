"""Adult (census income): its training part as categories, as dense features, and as hashed crosses."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from harness.datasets.declared import ADULT
from harness.datasets.tables import Table, codes, hashed, quintiles, side_by_side, signs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TEST_ROWS = 16_281  # The file begins with UCI's test part; the 32,561 people of its training part follow.
CATEGORIES = (
    "workclass",
    "education",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "gender",
    "native-country",
)
QUANTITIES = ("age", "fnlwgt", "educational-num", "capital-gain", "capital-loss", "hours-per-week")


def adult_features() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The training part of Adult as dense zeros and ones, as in a9a, and labels -1 or 1."""
    table = adult()
    return table.dense(), table.labels


@cache
def adult() -> Table:
    """The training part of Adult: categories as they are ('?' is one too), quantities cut at their quintiles."""
    import pyarrow.parquet as pq

    table = pq.read_table(ADULT.path("adult.parquet.brotli")).slice(TEST_ROWS)
    groups = [codes(table.column(name)) for name in CATEGORIES]
    groups += [quintiles(table.column(name).to_numpy()) for name in QUANTITIES]
    columns, dimension = side_by_side(groups)
    return Table(columns, dimension, signs(table.column("income").to_numpy(zero_copy_only=False) == ">50K"))


@cache
def adult_crosses(dimension: int = 2**14) -> Table:
    """Adult with every pair of its columns crossed and hashed into ``dimension`` features (91 pairs a row)."""
    import numpy as np

    single = adult()
    values = single.columns.astype(np.uint64)
    pairs = [
        values[:, i] * np.uint64(single.dimension) + values[:, j] for i in range(values.shape[1]) for j in range(i)
    ]
    columns = np.stack([hashed(pair) % np.uint64(dimension) for pair in pairs], axis=1).astype(np.int32)
    columns.sort(axis=1)
    return Table(columns, dimension, single.labels)
