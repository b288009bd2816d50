"""scikit-learn on a stream: what one would do with it, arrival by arrival."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness import Device, Workload
from harness_strsaga import SteppedParallelizer, StreamParallelizer, StreamWorkload

if TYPE_CHECKING:
    from harness_strsaga.learners import Learner
    from harness_strsaga.stream import Stream

REQUIRES = ("sklearn",)
REMEDY = "pip install 'harness-peers[scikit-learn]'"


def not_logistic(workload: Workload) -> str:
    """Why scikit-learn's classifiers cannot do a stream; empty if they can."""
    assert isinstance(workload, StreamWorkload)
    loss = workload.problem()["loss"]
    return "" if loss == "logistic" else f"scikit-learn's classifiers need a logistic loss, not {loss}"


class SklearnSaga(StreamParallelizer):
    """LogisticRegression(solver="saga"), warm-started: one epoch over all that has arrived, at each arrival."""

    name: ClassVar[str] = "sklearn-saga"
    requires: ClassVar[tuple[str, ...]] = REQUIRES
    remedy: ClassVar[str] = REMEDY
    imports: ClassVar[tuple[str, ...]] = ("sklearn.linear_model", *StreamParallelizer.imports)

    def refuses(self, workload: Workload, device: Device) -> str:
        """Refuse what is no classification."""
        return not_logistic(workload)

    def learner(self, stream: Stream, *, rate: float, rho: int, seed: int) -> Learner:
        """A warm-started model; scikit-learn chooses the step size, and rho does not bound it."""
        from harness_peers.learners import WarmSaga

        return WarmSaga(stream, rate=rate, rho=rho, seed=seed)


class SklearnSgd(SteppedParallelizer):
    """SGDClassifier.partial_fit on rho points drawn uniformly from all that has arrived, at each arrival."""

    name: ClassVar[str] = "sklearn-sgd"
    requires: ClassVar[tuple[str, ...]] = REQUIRES
    remedy: ClassVar[str] = REMEDY
    imports: ClassVar[tuple[str, ...]] = ("sklearn.linear_model", *StreamParallelizer.imports)

    def refuses(self, workload: Workload, device: Device) -> str:
        """Refuse what is no classification."""
        return not_logistic(workload)

    def learner(self, stream: Stream, *, rate: float, rho: int, seed: int) -> Learner:
        """A model with a constant step size."""
        from harness_peers.learners import PartialSgd

        return PartialSgd(stream, rate=rate, rho=rho, seed=seed)
