"""The paper's applications as workloads: real data where they are not generated, and plain loop bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from harness import Workload
from harness_orion.loop import Loop
from harness_orion.workloads.factorization import MfAdagrad, MfAdarevision, MfSgd
from harness_orion.workloads.loops import Arrays, LoopWorkload
from harness_orion.workloads.random_loops import RandomLoops

if TYPE_CHECKING:
    from harness_orion.applications.boosting import Shape
    from harness_orion.applications.topics import Text


class LdaGibbs(LoopWorkload):
    """Topics of 395 Reuters stories by collapsed Gibbs sampling; an update is a token's."""

    name: ClassVar[str] = "lda"

    topics: PositiveInt = Field(50, description="how many topics")
    alpha: PositiveFloat = Field(0.1, description="prior count of each topic in a document")
    beta: PositiveFloat = Field(0.01, description="prior count of each word in a topic")

    def prepare(self) -> None:
        """Fetch the stories."""
        self.text()

    def text(self) -> Text:
        """The tokens."""
        from harness_orion.applications.topics import news

        return news()

    @property
    def updates(self) -> int:
        """One a token."""
        return len(self.text())

    def loop(self, seed: int) -> Loop:
        """The sampler over the tokens."""
        from harness_orion.applications.topics import gibbs, space

        return Loop(gibbs, space(self.text(), self.topics, seed))

    def arrays(self, seed: int) -> Arrays:
        """Counts of random topics."""
        from harness_orion.applications.topics import arrays, space

        return arrays(space(self.text(), self.topics, seed), self.topics, alpha=self.alpha, beta=self.beta)

    def score(self, arrays: Arrays, seed: int) -> Mapping[str, float]:
        """The mean log likelihood of a token."""
        return self.judged(arrays[0].values, arrays[1].values)

    def judged(self, documents: Any, words: Any) -> Mapping[str, float]:
        """The score of topic counts (documents, topics) and (words, topics)."""
        from harness_orion.applications.topics import log_likelihood

        found = log_likelihood(self.text(), documents, words, alpha=self.alpha, beta=self.beta)
        return {"loss": -found, "log_likelihood": found}


class SparseLogistic(LoopWorkload):
    """Sparse logistic regression by SGD: on the census data's crosses, or on generated samples."""

    name: ClassVar[str] = "slr"

    samples: Literal["census", "power-law"] = Field("census", description="the census data's crosses, or generated")
    count: PositiveInt = Field(100_000, description="with power-law samples: how many")
    ones: PositiveInt = Field(40, description="with power-law samples: ones in each")
    exponent: NonNegativeFloat = Field(1.1, description="with power-law samples: how skewed the columns are")
    dimension: PositiveInt = Field(2**14, description="weights")
    rate: PositiveFloat = Field(0.002, description="step size")
    max_delay: PositiveInt | None = Field(64, description="iterations that a change may wait; none: to a block's end")

    def prepare(self) -> None:
        """Fetch or generate the samples."""
        self.data()

    def data(self) -> tuple[Any, Any]:
        """Columns of ones (samples, ones), and labels -1 or 1."""
        from harness_orion.applications.regression import census, power_law

        if self.samples == "census":
            return census(self.dimension)
        return power_law(self.count, self.ones, self.dimension, self.exponent)

    @property
    def updates(self) -> int:
        """One a sample."""
        return len(self.data()[1])

    def loop(self, seed: int) -> Loop:
        """The step over the samples."""
        from harness_orion.applications.regression import descend, space

        return Loop(descend, space(*self.data(), seed))

    def arrays(self, seed: int) -> Arrays:
        """No weights yet."""
        from harness_orion.applications.regression import arrays

        return arrays(self.dimension, rate=self.rate, max_delay=self.max_delay)

    def score(self, arrays: Arrays, seed: int) -> Mapping[str, float]:
        """The mean loss."""
        from harness_orion.applications.regression import mean_loss

        return {"loss": mean_loss(*self.data(), arrays[0].values)}


class BoostedTrees(LoopWorkload):
    """Gradient-boosted trees on the census data; a pass is one level of a tree, an update one feature of a sample."""

    name: ClassVar[str] = "gbt"
    expected_failures: ClassVar[Mapping[str, str]] = {
        **LoopWorkload.expected_failures,
        "other-seed": "it draws no random number",
    }
    whole_arrays: ClassVar[bool] = True

    depth: PositiveInt = Field(4, description="levels of a tree")
    rate: PositiveFloat = Field(0.3, description="share of a tree that is added")

    def prepare(self) -> None:
        """Fetch the data."""
        self.data()

    def data(self) -> tuple[Any, Any]:
        """Bins (features, samples), and labels -1 or 1."""
        from harness_orion.applications.boosting import census

        return census()

    @property
    def _shape(self) -> Shape:
        from harness_orion.applications.boosting import Shape

        return Shape(self.depth, int(self.data()[0].max()) + 1, self.rate)

    @property
    def updates(self) -> int:
        """One for each feature of each sample."""
        return int(self.data()[0].size)

    def loop(self, seed: int) -> Loop:
        """The histogram over features and samples."""
        from harness_orion.applications.boosting import histogram

        return Loop(histogram, self.data()[0])

    def arrays(self, seed: int) -> Arrays:
        """No trees yet."""
        from harness_orion.applications.boosting import arrays

        return arrays(*self.data(), self._shape)

    def advance(self, arrays: Arrays, done: int) -> None:
        """Grow the tree by a level."""
        from harness_orion.applications.boosting import grow

        grow(arrays, *self.data(), (done - 1) % self.depth, self._shape)

    def score(self, arrays: Arrays, seed: int) -> Mapping[str, float]:
        """The mean logistic loss, and the share of right answers, of the trees that are whole."""
        import numpy as np

        margins, labels = arrays[4].values, self.data()[1]
        right = float(np.mean((margins > 0) == (labels > 0)))
        return {"loss": float(np.logaddexp(0.0, -labels * margins).mean()), "accuracy": right}


class GaussSeidel(LoopWorkload):
    """Gauss-Seidel on Poisson's equation, ordered; ``loss`` is the residual over that at the start."""

    name: ClassVar[str] = "gauss-seidel"
    ordered: ClassVar[bool] = True

    side: PositiveInt = Field(256, description="points a side")

    def prepare(self) -> None:
        """Nothing to fetch."""

    @property
    def updates(self) -> int:
        """One a point."""
        return self.side**2

    def loop(self, seed: int) -> Loop:
        """The relaxation over the inner points, in their order."""
        from harness_orion.applications.stencil import inner, relax

        return Loop(relax, inner(self.side), ordered=self.ordered)

    def arrays(self, seed: int) -> Arrays:
        """Zeros, and random loads."""
        from harness_orion.applications.stencil import arrays

        return arrays(self.side, seed)

    def score(self, arrays: Arrays, seed: int) -> Mapping[str, float]:
        """The residual."""
        from harness_orion.applications.stencil import residual

        return {"loss": residual(arrays[0].values, arrays[1].values)}


WORKLOADS: tuple[type[Workload], ...] = (
    BoostedTrees,
    GaussSeidel,
    LdaGibbs,
    MfAdagrad,
    MfAdarevision,
    MfSgd,
    RandomLoops,
    SparseLogistic,
)
