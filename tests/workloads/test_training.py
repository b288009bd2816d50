"""The training workload against a second implementation, in NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from harness.components import Budget, Job
from harness.devices.cpu import Cpu
from harness.parallelizers.serial import SerialRun
from harness.testing import run_job
from harness.trace import TraceWriter
from harness.workloads.census import CensusMlp
from harness.workloads.training import TrainingWorkload

torch = pytest.importorskip("torch", reason="needs the extra torch")

if TYPE_CHECKING:
    from torch import Tensor, nn


class Blobs(TrainingWorkload):
    """Two classes of Gaussian points, and a linear model in double precision."""

    name: ClassVar[str] = "blobs"

    def model(self) -> nn.Module:
        return torch.nn.Linear(3, 2).double()

    def train_set(self) -> tuple[Tensor, Tensor]:
        return self._set(1, 200)

    def test_set(self) -> tuple[Tensor, Tensor]:
        return self._set(2, 100)

    def _set(self, seed: int, n: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng(seed)
        targets = rng.integers(0, 2, n)
        return torch.from_numpy(rng.normal(size=(n, 3)) + targets[:, None]), torch.from_numpy(targets)


def by_hand(workload: Blobs, steps: int, seed: int) -> float:
    """Test loss after so many steps of SGD with momentum and weight decay on softmax regression."""
    x, y = (t.numpy() for t in workload.train_set())
    layer = workload.initial_model(seed)
    w, b = layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy()
    velocity = [np.zeros_like(w), np.zeros_like(b)]
    epoch: list[np.ndarray] = []
    trace_free = Job(workload, Cpu(), Budget(), seed, TraceWriter(), Path())
    for step in range(steps):
        if not epoch:
            epoch = list(workload.batches(trace_free.rng(step)))
        chosen = epoch.pop(0)
        logits = x[chosen] @ w.T + b
        p = np.exp(logits - logits.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(len(chosen)), y[chosen]] -= 1
        gradients = [p.T @ x[chosen] / len(chosen), p.mean(0)]
        for parameter, v, g in zip((w, b), velocity, gradients, strict=True):
            v *= workload.momentum
            v += g + workload.weight_decay * parameter
            parameter -= workload.rate * 0.1 ** sum(drop <= step for drop in workload.rate_drops) * v
    x, y = (t.numpy() for t in workload.test_set())
    logits = x @ w.T + b
    return float((np.log(np.exp(logits).sum(1)) - logits[np.arange(len(y)), y]).mean())


@pytest.mark.parametrize("steps", [1, 6, 17])
@pytest.mark.parametrize("drops", [(), (4, 12)])
def test_serial_training_is_plain_sgd_with_momentum(steps: int, drops: tuple[int, ...], tmp_path: Path) -> None:
    workload = Blobs(batch_size=32, rate=0.1, rate_drops=drops, momentum=0.8, weight_decay=0.01)
    trace = run_job(SerialRun(), workload, tmp_path, seed=3, steps=steps)
    assert trace.last("loss") == pytest.approx(by_hand(workload, steps, 3), abs=1e-9)
    assert trace.total("samples") == 32 * steps


def test_training_stops_at_its_target(tmp_path: Path) -> None:
    trace = run_job(SerialRun(), Blobs(), tmp_path, epochs=50, target="accuracy >= 0.75")
    accuracies = trace.values("accuracy").value
    assert accuracies[-1] >= 0.75
    assert (accuracies[:-1] < 0.75).all()


def test_initial_weights_depend_on_the_seed_alone() -> None:
    first, _, again = (Blobs().initial_model(seed).weight for seed in (1, 2, 1))
    torch.manual_seed(9)
    assert torch.equal(first, again)
    assert not torch.equal(first, Blobs().initial_model(2).weight)


def test_a_workload_travels_as_its_parameters_alone() -> None:
    import pickle

    workload = CensusMlp(hidden=8)
    workload.__dict__["_split"] = "something large"
    copy = pickle.loads(pickle.dumps(workload))
    assert copy == CensusMlp(hidden=8)
    assert "_split" not in copy.__dict__


def test_the_census_is_learned_better_than_by_guessing_no(tmp_path: Path) -> None:
    trace = run_job(SerialRun(), CensusMlp(), tmp_path, epochs=1)
    guess = float((CensusMlp().test_set()[1] == 0).float().mean())
    last = trace.last("accuracy")
    assert last is not None
    assert last > guess + 0.05
