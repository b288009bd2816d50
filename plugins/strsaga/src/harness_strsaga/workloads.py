"""Streams of real data: census, flights, ratings, and the census again with many sparse features.

The constants mu and ``paper_rate`` are those of the paper's early code for the nearest data set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from harness_strsaga.workload import StreamWorkload

if TYPE_CHECKING:
    from harness_strsaga.sampling import Source


class LinearStream(StreamWorkload):
    """Rows with a label of -1 or 1, and a linear model."""

    loss: Literal["logistic", "ridge"] = Field("logistic", description="log(1 + exp(-y p)), or (p - y)^2 / 2")

    def problem(self) -> Mapping[str, Any]:
        """A convex loss."""
        return {"loss": self.loss}


class AdultStream(LinearStream):
    """Is a person's income above 50,000 dollars? 32,561 people of the 1994 census, 124 binary features (as a9a)."""

    name: ClassVar[str] = "adult-stream"

    layout: Literal["dense", "sparse"] = Field("dense", description="how rows are stored")

    def source(self) -> Source:
        """The people, in the file's order."""
        from harness import datasets
        from harness_strsaga.sampling import Source, ones
        from harness_strsaga.stream import Dense

        table = datasets.adult()
        points = Dense(table.dense()) if self.layout == "dense" else ones(table.columns, table.dimension)
        return Source(points, table.labels)


class CrossesStream(LinearStream):
    """The census with every pair of its columns crossed: 16,384 sparse features, 91 in each row of length 1.

    Only some 4,500 of them ever occur: a method whose steps are not lazy pays for all.
    """

    name: ClassVar[str] = "crosses-stream"
    paper_rate: ClassVar[float] = 0.5

    mu: PositiveFloat = Field(1e-5, description="L2 weight mu")
    evaluations: PositiveInt = Field(10, description="time steps, evenly spread, after which models are evaluated")
    features: PositiveInt = Field(2**14, description="features that the pairs are hashed into")

    def source(self) -> Source:
        """The people, in the file's order."""
        from harness import datasets
        from harness_strsaga.sampling import Source, ones

        table = datasets.adult_crosses(self.features)
        return Source(ones(table.columns, table.dimension, unit=True), table.labels)


class FlightsStream(LinearStream):
    """Will a flight arrive over 15 minutes late? Flights from New York in 2013, which come in an order of their own."""

    name: ClassVar[str] = "flights-stream"
    has_times: ClassVar[bool] = True

    points: PositiveInt | None = Field(
        60_000, description="flights used, of 327,346; by their own times the first ones, January to March"
    )

    def source(self) -> Source:
        """The flights in the order of their scheduled departures."""
        from harness import datasets
        from harness_strsaga.sampling import Source, ones

        table = datasets.flights()
        return Source(ones(table.columns, table.dimension), table.labels, table.times)


class MovielensStream(StreamWorkload):
    """100,000 dated ratings of films: a matrix factorization, the one loss here that is not convex.

    Ratings are taken from the middle of their scale, 3, and not from their mean, which a stream does
    not know. The early code's mu = 0.1 weighs the two rows that a rating touches; that is a weight
    of the whole |w|^2 of about 0.1 / 943 users.
    """

    name: ClassVar[str] = "movielens-stream"
    paper_rate: ClassVar[float] = 2e-2
    has_times: ClassVar[bool] = True

    mu: PositiveFloat = Field(1e-4, description="L2 weight mu")
    rank: PositiveInt = Field(5, description="factors of a user and of a film")

    def source(self) -> Source:
        """The ratings, oldest first."""
        from harness import datasets
        from harness_strsaga.sampling import Source
        from harness_strsaga.stream import Pairs

        table = datasets.movielens()
        pairs = Pairs(table.users, table.items, int(table.users.max()) + 1, int(table.items.max()) + 1)
        return Source(pairs, table.ratings - 3.0, table.times)

    def problem(self) -> Mapping[str, Any]:
        """A factorization."""
        return {"loss": "factorization", "rank": self.rank}


WORKLOADS: tuple[type[StreamWorkload], ...] = (AdultStream, CrossesStream, FlightsStream, MovielensStream)
