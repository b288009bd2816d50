"""Matrix factorization as a workload: films or generated ratings, by three rules of one form."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from harness_orion.loop import Loop
from harness_orion.workloads.loops import Arrays, LoopWorkload

if TYPE_CHECKING:
    from harness_orion.applications.ratings import Ratings


class Factorization(LoopWorkload):
    """Matrix factorization; ``rmse`` is that of ratings held out, ``loss`` the mean squared error of the others."""

    ratings: Literal["movielens", "power-law"] = Field("movielens", description="MovieLens-100k, or generated")
    count: PositiveInt = Field(3_000_000, description="with power-law ratings: how many")
    users: PositiveInt = Field(60_000, description="with power-law ratings: rows")
    items: PositiveInt = Field(12_000, description="with power-law ratings: columns")
    exponent: NonNegativeFloat = Field(0.7, description="with power-law ratings: how skewed rows and columns are")
    rank: PositiveInt = Field(32, description="numbers that stand for a row or a column")
    rate: PositiveFloat = Field(0.1, description="step size")
    decay: NonNegativeFloat = Field(0.05, description="L2 weight")

    @property
    @abstractmethod
    def body(self) -> Callable[..., Any]:
        """The loop's body."""

    def prepare(self) -> None:
        """Fetch or generate the ratings."""
        _ratings(self.ratings, self.count, (self.users, self.items), self.exponent)

    def parts(self, seed: int) -> tuple[Ratings, Ratings]:
        """Ratings to train with, in random order, and to judge by."""
        return _parts(self.ratings, self.count, (self.users, self.items), self.exponent, seed)

    @property
    def updates(self) -> int:
        """One a rating."""
        from harness_orion.applications.ratings import held_out

        ratings = len(_ratings(self.ratings, self.count, (self.users, self.items), self.exponent))
        return ratings - held_out(ratings)

    def loop(self, seed: int) -> Loop:
        """The body over the ratings."""
        return Loop(self.body, self.parts(seed)[0].entries())

    def factors(self, arrays: Arrays) -> tuple[Any, Any]:
        """W (rows, rank) and H (columns, rank)."""
        return arrays[0].values, arrays[1].values

    def initial(self, seed: int) -> tuple[Any, Any]:
        """W and H as they begin."""
        from harness_orion.applications.factorization import initial_factors

        return initial_factors(self.parts(seed)[0].shape, self.rank, seed)

    def score(self, arrays: Arrays, seed: int) -> Mapping[str, float]:
        """Judge the factors."""
        train, held_out = self.parts(seed)
        W, H = self.factors(arrays)
        return {"loss": train.rmse(W, H) ** 2, "rmse": held_out.rmse(W, H)}


class MfSgd(Factorization):
    """Matrix factorization by SGD with one step size."""

    name: ClassVar[str] = "mf-sgd"

    rate: PositiveFloat = Field(0.02, description="step size")

    @property
    def body(self) -> Callable[..., Any]:
        """One step of SGD."""
        from harness_orion.applications.factorization import sgd

        return sgd

    def arrays(self, seed: int) -> Arrays:
        """Factors as they begin."""
        from harness_orion.applications.factorization import sgd_arrays

        return sgd_arrays(*self.initial(seed), rate=self.rate, decay=self.decay)


class MfAdagrad(Factorization):
    """Matrix factorization by LIBMF's rule: a rate for each row's leading dimensions, and one for the others."""

    name: ClassVar[str] = "mf-adagrad"

    rank: PositiveInt = Field(32, gt=8, description="numbers that stand for a row or a column")

    @property
    def body(self) -> Callable[..., Any]:
        """One step with two rates."""
        from harness_orion.applications.factorization import adagrad

        return adagrad

    def arrays(self, seed: int) -> Arrays:
        """Factors and sums of squares as they begin."""
        from harness_orion.applications.factorization import adagrad_arrays

        return adagrad_arrays(*self.initial(seed), rate=self.rate, decay=self.decay)

    def factors(self, arrays: Arrays) -> tuple[Any, Any]:
        """The leading dimensions beside the others."""
        from harness_orion.applications.factorization import adagrad_factors

        return adagrad_factors(arrays)

    def advance(self, arrays: Arrays, done: int) -> None:
        """From the second pass on all dimensions are learned."""
        arrays[8].values[0] = 1


class MfAdarevision(Factorization):
    """Matrix factorization by AdaRevision: changes through buffers, with rates that make up for their delay."""

    name: ClassVar[str] = "mf-adarevision"

    max_delay: PositiveInt | None = Field(50, description="iterations that a change may wait; none: to a block's end")

    @property
    def body(self) -> Callable[..., Any]:
        """One gradient, into buffers."""
        from harness_orion.applications.factorization import adarevision

        return adarevision

    def arrays(self, seed: int) -> Arrays:
        """Factors, sums and buffers as they begin."""
        from harness_orion.applications.factorization import adarevision_arrays

        return adarevision_arrays(*self.initial(seed), rate=self.rate, decay=self.decay, max_delay=self.max_delay)


@lru_cache(maxsize=2)
def _ratings(kind: str, count: int, shape: tuple[int, int], exponent: float) -> Ratings:
    from harness_orion.applications.ratings import films, power_law

    return films() if kind == "movielens" else power_law(count, shape, exponent=exponent)


@lru_cache(maxsize=2)
def _parts(kind: str, count: int, shape: tuple[int, int], exponent: float, seed: int) -> tuple[Ratings, Ratings]:
    from harness_orion.applications.ratings import split

    return split(_ratings(kind, count, shape, exponent), seed)
