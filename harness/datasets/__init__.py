"""The data sets that several plugins use, and loaders that turn them into arrays."""

from __future__ import annotations

from harness.datasets.census import adult, adult_crosses, adult_features
from harness.datasets.corpus import Corpus, reuters
from harness.datasets.declared import ADULT, DATASETS, FLIGHTS, MOVIELENS, REUTERS
from harness.datasets.departures import flights
from harness.datasets.ratings import Ratings, movielens
from harness.datasets.tables import Table

__all__ = [
    "ADULT",
    "DATASETS",
    "FLIGHTS",
    "MOVIELENS",
    "REUTERS",
    "Corpus",
    "Ratings",
    "Table",
    "adult",
    "adult_crosses",
    "adult_features",
    "flights",
    "movielens",
    "reuters",
]
