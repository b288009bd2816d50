"""scikit-learn on a stream: what one would do with it, arrival by arrival."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness import Device, Workload
from harness_strsaga import SteppedParallelizer, StreamParallelizer, StreamWorkload

if TYPE_CHECKING:
    from harness_strsaga.learners import Learner
    from harness_strsaga.stream import Stream


class Classifier(StreamParallelizer):
    """A classifier of scikit-learn's, learning from a stream."""

    requires: ClassVar[tuple[str, ...]] = ("sklearn",)
    remedy: ClassVar[str] = "pip install 'harness-peers[scikit-learn]'"
    imports: ClassVar[tuple[str, ...]] = ("sklearn.linear_model", *StreamParallelizer.imports)

    def refuses(self, workload: Workload, device: Device) -> str:
        """Refuse what is no classification."""
        assert isinstance(workload, StreamWorkload)
        loss = workload.problem()["loss"]
        return "" if loss == "logistic" else f"scikit-learn's classifiers need a logistic loss, not {loss}"


class SklearnSaga(Classifier):
    """LogisticRegression(solver="saga"), warm-started: one epoch over all that has arrived, at each arrival."""

    name: ClassVar[str] = "sklearn-saga"

    def learner(self, stream: Stream, *, rate: float, rho: int, seed: int) -> Learner:
        """A warm-started model; scikit-learn chooses the step size, and rho does not bound it."""
        from harness_peers.learners import WarmSaga

        return WarmSaga(stream, rate=rate, rho=rho, seed=seed)


class SklearnSgd(Classifier, SteppedParallelizer):
    """SGDClassifier.partial_fit on rho points drawn uniformly from all that has arrived, at each arrival."""

    name: ClassVar[str] = "sklearn-sgd"

    def learner(self, stream: Stream, *, rate: float, rho: int, seed: int) -> Learner:
        """A model with a constant step size."""
        from harness_peers.learners import PartialSgd

        return PartialSgd(stream, rate=rate, rho=rho, seed=seed)


PARALLELIZERS = (SklearnSaga, SklearnSgd)
