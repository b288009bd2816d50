from __future__ import annotations

import csv
import gzip
import io
import subprocess
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.sparse import csr_array

from harness.data import Dataset
from harness.datasets import (
    ADULT,
    DATASETS,
    FASHION_MNIST,
    FLIGHTS,
    KING_JAMES,
    REUTERS,
    Table,
    adult,
    adult_crosses,
    adult_features,
    fashion_mnist,
    flights,
    king_james,
    king_james_tokens,
    movielens,
    reuters,
)
from harness.datasets.census import CATEGORIES, QUANTITIES, TEST_ROWS
from harness.datasets.lzw import MAGIC, decompress
from harness.datasets.tables import hashed, quintiles
from harness.errors import HarnessError


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda d: d.name)
def test_every_data_set_arrives_as_declared(dataset: Dataset) -> None:
    dataset.fetch()
    assert dataset.verify() == []
    assert dataset.licence
    assert dataset.homepage.startswith("https://")


def as_csr(table: Table) -> Any:
    """The same rows by a second implementation; it adds what stands twice."""
    n, k = table.columns.shape
    ones = np.ones(n * k)
    return csr_array((ones, table.columns.ravel(), np.arange(0, n * k + 1, k)), shape=(n, table.dimension))


# Census.


@cache
def people() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(ADULT.path("adult.parquet.brotli")).to_pylist()
    return rows


def test_the_whole_census_has_the_known_number_of_people_and_incomes() -> None:
    rich = sum(person["income"] == ">50K" for person in people())
    assert (len(people()), rich) == (48_842, 11_687)


def test_the_training_part_is_ucis_own() -> None:
    table = adult()
    assert len(table) == 32_561
    assert int((table.labels > 0).sum()) == 7_841  # UCI: 24.08 %
    assert set(np.unique(table.labels)) == {-1.0, 1.0}
    first = people()[TEST_ROWS]
    assert (first["age"], first["workclass"], first["fnlwgt"]) == (39, "State-gov", 77_516)


def test_census_categories_keep_apart_what_differs_and_together_what_is_equal() -> None:
    columns = adult().columns
    for position, name in enumerate(CATEGORIES):
        pairs = set(zip((p[name] for p in people()[TEST_ROWS:]), columns[:, position].tolist(), strict=True))
        values, codes = zip(*pairs, strict=True)
        assert len(pairs) == len(set(values)) == len(set(codes))


def test_census_quantities_are_cut_in_order_and_none_is_the_same_for_everyone() -> None:
    columns = adult().columns
    for position, name in enumerate(QUANTITIES, start=len(CATEGORIES)):
        values = np.array([person[name] for person in people()[TEST_ROWS:]])
        fifths = columns[:, position]
        assert len(np.unique(fifths)) > 1
        tops = [values[fifths == fifth].max() for fifth in np.unique(fifths)[:-1]]
        bottoms = [values[fifths == fifth].min() for fifth in np.unique(fifths)[1:]]
        assert all(top < bottom for top, bottom in zip(tops, bottoms, strict=True))
    gains = np.array([person["capital-gain"] > 0 for person in people()[TEST_ROWS:]])
    position = len(CATEGORIES) + QUANTITIES.index("capital-gain")
    assert len(np.unique(columns[gains, position])) == len(np.unique(columns[~gains, position])) == 1


def test_dense_census_rows_have_a_one_for_each_column() -> None:
    features, labels = adult_features()
    assert features.shape == (32_561, adult().dimension)
    assert set(np.unique(features)) == {0.0, 1.0}
    assert (features.sum(axis=1) == len(CATEGORIES) + len(QUANTITIES)).all()
    assert features.any(axis=0).all()
    np.testing.assert_array_equal(features, as_csr(adult()).toarray())
    np.testing.assert_array_equal(labels, adult().labels)


def test_fifths_of_distinct_quantities_are_equally_large() -> None:
    values = np.random.default_rng(0).permutation(1000)
    assert np.bincount(quintiles(values)).tolist() == [200] * 5


def test_the_hash_is_splitmix64() -> None:
    # The published sequence for the seed 1234567; its state grows by the golden gamma.
    states = np.array([1234567 + i * 0x9E3779B97F4A7C15 & 2**64 - 1 for i in range(5)], np.uint64)
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert hashed(states).tolist() == expected


def test_crosses_are_hashed_pairs_of_columns() -> None:
    crosses, single = adult_crosses(20_000), adult()
    assert crosses.columns.shape == (32_561, 91)
    for row in (0, 1, 32_560):
        codes = single.columns[row].tolist()
        pairs = [codes[i] * single.dimension + codes[j] for i in range(14) for j in range(i)]
        assert crosses.columns[row].tolist() == sorted(int(hashed(np.array([p], np.uint64))[0]) % 20_000 for p in pairs)


def test_dense_and_sparse_crosses_agree_where_two_pairs_meet_in_one_feature() -> None:
    crosses = adult_crosses()
    head = Table(crosses.columns[:500], crosses.dimension, crosses.labels[:500])
    assert head.dense().max() > 1
    np.testing.assert_array_equal(head.dense(), as_csr(head).toarray())


# Flights.


@cache
def departures() -> list[dict[str, str]]:
    with zipfile.ZipFile(FLIGHTS.path("flights.csv.zip")) as zipped:
        return list(csv.DictReader(io.StringIO(zipped.read("flights.csv").decode())))


@cache
def arrived() -> list[tuple[float, dict[str, str]]]:
    """Scheduled departure, in seconds, and row of each flight that arrived, in order."""
    rows = [row for row in departures() if row["arr_delay"] != "NA"]
    dated = [(datetime.fromisoformat(row["time_hour"]).timestamp() + 60 * int(row["minute"]), row) for row in rows]
    return sorted(dated, key=lambda pair: pair[0])


def weekday(row: dict[str, str]) -> int:
    return date(int(row["year"]), int(row["month"]), int(row["day"])).weekday()


def test_the_flights_are_those_of_the_year_less_what_never_arrived() -> None:
    assert len(departures()) == 336_776
    assert len(flights()) == len(arrived()) == 327_346
    late = [float(row["arr_delay"]) > 15 for _, row in arrived()]
    assert (flights().labels > 0).tolist() == late


def test_flights_come_in_the_order_of_their_scheduled_departures() -> None:
    assert flights().times is not None
    np.testing.assert_array_equal(flights().times, [seconds for seconds, _ in arrived()])
    first = datetime.fromtimestamp(arrived()[0][0], UTC)
    assert (first.date(), first.hour, first.minute) == (date(2013, 1, 1), 10, 15)  # 5:15 in New York


FEATURES: list[tuple[Callable[[dict[str, str]], object], int]] = [
    (itemgetter("carrier"), 16),
    (itemgetter("origin"), 3),
    (itemgetter("dest"), 104),
    (itemgetter("hour"), 19),
    (itemgetter("month"), 12),
    (weekday, 7),
]


@pytest.mark.parametrize(("position", "meaning", "count"), [(i, *feature) for i, feature in enumerate(FEATURES)])
def test_each_feature_of_a_flight_tells_what_it_is_about(
    position: int, meaning: Callable[[dict[str, str]], object], count: int
) -> None:
    codes = flights().columns[:, position].tolist()
    pairs = set(zip((meaning(row) for _, row in arrived()), codes, strict=True))
    assert len(pairs) == len({value for value, _ in pairs}) == len({code for _, code in pairs}) == count


# Ratings and stories.


def test_the_ratings_are_those_that_grouplens_describes() -> None:
    ratings = movielens()
    assert len(ratings) == 100_000
    assert np.unique(ratings.users).tolist() == list(range(943))
    assert np.unique(ratings.items).tolist() == list(range(1682))
    assert np.bincount(ratings.ratings.astype(int)).tolist() == [0, 6110, 11370, 27145, 34174, 21201]
    assert np.bincount(ratings.users).min() >= 20
    assert (np.diff(ratings.times) >= 0).all()
    assert datetime.fromtimestamp(ratings.times[0], UTC).date() == date(1997, 9, 20)


def test_the_stories_have_the_known_counts_and_words() -> None:
    corpus = reuters()
    assert len(corpus) == len(corpus.titles) == len(corpus.starts) - 1 == 395
    assert len(corpus.vocabulary) == 4258
    assert int(corpus.counts.sum()) == 84_010
    assert corpus.titles[0].startswith("0 UK: Prince Charles")
    assert corpus.vocabulary[:2] == ("church", "pope")


def test_each_story_reads_as_its_line_says() -> None:
    corpus = reuters()
    lines = REUTERS.path("reuters.ldac").read_text().splitlines()
    for document, line in enumerate(lines):
        part = slice(corpus.starts[document], corpus.starts[document + 1])
        pairs = zip(corpus.terms[part].tolist(), corpus.counts[part].tolist(), strict=True)
        words = [f"{term}:{count}" for term, count in pairs]
        assert line.split() == [str(len(words)), *words]


# Fashion-MNIST.


def test_fashion_mnist_has_each_class_equally_often() -> None:
    for images, count in zip(fashion_mnist(), (60_000, 10_000), strict=True):
        assert len(images) == count
        assert images.pixels.shape == (count, 28, 28)
        assert images.pixels.dtype == images.labels.dtype == np.uint8
        assert np.bincount(images.labels).tolist() == [count // 10] * 10


def test_pixels_are_the_files_bytes_in_order() -> None:
    data = gzip.decompress(FASHION_MNIST.path("t10k-images-idx3-ubyte.gz").read_bytes())
    pixels = fashion_mnist()[1].pixels
    assert pixels[7, 3].tolist() == list(data[16 + 7 * 784 + 3 * 28 :][:28])
    assert pixels.max() == 255


# King James.


def test_the_king_james_bible_has_its_books_chapters_and_verses() -> None:
    verses = king_james()
    assert len(verses) == 31_102
    assert len({verse.book for verse in verses}) == 66
    assert verses[0].text == "In the beginning God created the heaven and the earth."
    assert Counter(verse.book for verse in verses)["Psa"] == 2461
    assert min(verses, key=lambda verse: len(verse.text)).text == "Jesus wept."


def test_lzw_agrees_with_gzip_which_reads_it_too() -> None:
    data = KING_JAMES.path("bible.data").read_bytes()
    packed = data[data.index(MAGIC) :][:400_000]
    expected = subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, check=True).stdout
    assert decompress(packed) == expected


@pytest.mark.parametrize("damaged", [b"", b"text", MAGIC + b"\x1f", MAGIC + b"\x90" + b"\xff" * 20])
def test_lzw_refuses_what_is_no_file_of_compress(damaged: bytes) -> None:
    with pytest.raises(HarnessError, match="compress"):
        decompress(damaged)


@pytest.mark.parametrize(("unit", "joint"), [("characters", ""), ("words", " ")])
def test_tokens_spell_the_text(unit: Any, joint: str) -> None:
    tokens = king_james_tokens(unit)
    text = joint.join(tokens.vocabulary[code] for code in tokens.codes[:200])
    spelled = "".join(f"{verse.text}\n" for verse in king_james()[:20])
    assert "".join(spelled.split()).startswith("".join(text.split()))
    assert len(tokens.books) == len(tokens) == len(tokens.codes)
    assert (np.diff(tokens.books) >= 0).all()
    assert tokens.books[-1] == 65


def test_the_most_frequent_words_are_kept() -> None:
    whole, most = king_james_tokens("words"), king_james_tokens("words", 100)
    counts = Counter(whole.vocabulary[code] for code in whole.codes.tolist())
    kept = {word for word, _ in counts.most_common(100)}
    assert set(most.vocabulary[:-1]) == kept
    assert (most.codes == 100).sum() == sum(count for word, count in counts.items() if word not in kept)
