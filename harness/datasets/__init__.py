"""The data sets that several plugins use, and loaders that turn them into arrays."""

from __future__ import annotations

from harness.datasets.census import adult, adult_crosses, adult_features
from harness.datasets.corpus import Corpus, reuters
from harness.datasets.declared import ADULT, DATASETS, FASHION_MNIST, FLIGHTS, KING_JAMES, MOVIELENS, REUTERS
from harness.datasets.departures import flights
from harness.datasets.images import Images, fashion_mnist
from harness.datasets.ratings import Ratings, movielens
from harness.datasets.tables import Table
from harness.datasets.verses import Tokens, Verse, king_james, king_james_tokens

__all__ = [
    "ADULT",
    "DATASETS",
    "FASHION_MNIST",
    "FLIGHTS",
    "KING_JAMES",
    "MOVIELENS",
    "REUTERS",
    "Corpus",
    "Images",
    "Ratings",
    "Table",
    "Tokens",
    "Verse",
    "adult",
    "adult_crosses",
    "adult_features",
    "fashion_mnist",
    "flights",
    "king_james",
    "king_james_tokens",
    "movielens",
    "reuters",
]
