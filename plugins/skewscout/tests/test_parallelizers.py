"""The algorithms' limits: where they must equal each other, plain training, and closed forms of their bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small import Small
from training import losses, trained

from harness_skewscout.algorithms import Gaia as GaiaRule
from harness_skewscout.learning import places_of
from harness_skewscout.parallelizers import WARM_UP, Bsp, Decentralized, Dgc, FedAvg, Gaia, SkewScout

SKEWED = {"split": "label", "evaluations": 10.0}
PARAMETERS = 8 * 16 + 16 + 16 * 10 + 10


def ways() -> list[Decentralized]:
    scout = {"period": 10, "samples": 100}
    return [
        Bsp(),
        Gaia(threshold=0.1),
        FedAvg(local_steps=5),
        Dgc(sparsity=0.9),
        SkewScout(algorithm="gaia", start=3, **scout),
        SkewScout(algorithm="fedavg", start=2, search="annealing", **scout),
        SkewScout(algorithm="dgc", start=1, search="stochastic", **scout),
    ]


@pytest.mark.parametrize("way", ways(), ids=str)
@pytest.mark.parametrize("normalization", ["none", "batch", "group"])
def test_vectorised_and_a_worker_each_agree(way: Decentralized, normalization: Any, tmp_path: Path) -> None:
    # In doubles: rounding, which differs from processor to processor, decides about no update at a threshold.
    workload = Small(**SKEWED, normalization=normalization, doubles=True)
    together = trained(way, workload, tmp_path / "together", 30)
    apart = trained(way.model_copy(update={"vectorised": False}), workload, tmp_path / "apart", 30)
    assert len(losses(together)) == len(losses(apart)) > 3
    np.testing.assert_allclose(losses(together), losses(apart), atol=1e-9)
    assert together.total("update_bytes") == pytest.approx(apart.total("update_bytes"), rel=0.01)
    np.testing.assert_allclose(together.values("setting").value, apart.values("setting").value)


@pytest.mark.parametrize(
    ("way", "momentum"),
    [
        (Gaia(threshold=0.0), 0.9),
        (FedAvg(local_steps=1), 0.9),
        (Dgc(sparsity=0.0, masking=False), 0.9),
        (Dgc(sparsity=0.0), 0.0),
        (SkewScout(algorithm="gaia", grid=(0.0,), period=5), 0.9),
        (SkewScout(algorithm="fedavg", grid=(1.0,), period=5), 0.9),
        (SkewScout(algorithm="dgc", grid=(0.0,), period=5), 0.0),
    ],
    ids=str,
)
def test_the_densest_setting_is_bsp(way: Decentralized, momentum: float, tmp_path: Path) -> None:
    drops = (10,) if momentum == 0 else ()  # elsewhere the rate is in the velocity for some, and not for BSP
    workload = Small(**SKEWED, momentum=momentum, rate_drops=drops, doubles=True)
    expected = trained(Bsp(), workload, tmp_path / "bsp")
    np.testing.assert_allclose(losses(trained(way, workload, tmp_path / "way")), losses(expected), rtol=1e-9)


def test_masking_at_no_sparsity_takes_all_momentum(tmp_path: Path) -> None:
    masked = trained(Dgc(sparsity=0.0), Small(**SKEWED, momentum=0.9, doubles=True), tmp_path / "masked")
    plain = trained(Bsp(), Small(**SKEWED, momentum=0.0, doubles=True), tmp_path / "plain")
    np.testing.assert_allclose(losses(masked), losses(plain), rtol=1e-9)


@pytest.mark.parametrize("way", ways()[:4], ids=str)
def test_one_partition_is_plain_training(way: Decentralized, tmp_path: Path) -> None:
    if isinstance(way, Dgc):
        way = Dgc(sparsity=0.0, masking=False)
    workload = Small(partitions=1, doubles=True, weight_decay=5e-4)
    assert losses(trained(way, workload, tmp_path / "way"))[-1] == pytest.approx(_torch_sgd(workload, 25), rel=1e-9)


@pytest.mark.parametrize("normalization", ["none", "group"])
@pytest.mark.parametrize("drops", [(), (10, 20)])
def test_bsp_is_training_on_the_joint_minibatch(normalization: Any, drops: tuple[int, ...], tmp_path: Path) -> None:
    workload = Small(**SKEWED, normalization=normalization, weight_decay=5e-4, rate_drops=drops)
    got = losses(trained(Bsp(), workload, tmp_path / "bsp"))[-1]
    assert got == pytest.approx(_torch_sgd(workload, 25), abs=1e-5)


def _torch_sgd(workload: Small, steps: int) -> float:
    """Plain torch on the concatenation of the partitions' minibatches."""
    places = places_of(workload, 3, workload.partition(3), range(workload.partitions))
    model = workload.initial_model(3)
    optimizer = workload.optimizer(model)
    inputs, targets = workload.train_set()
    for _ in range(steps):
        chosen = torch.from_numpy(np.concatenate([place.minibatch() for place in places]))
        optimizer.zero_grad()
        workload.loss(model(inputs[chosen]), targets[chosen]).backward()
        optimizer.step()
    return workload.scores(model)[0]


def test_bytes_are_closed_forms(tmp_path: Path) -> None:
    workload, steps, partitions = Small(**SKEWED), 20, 5
    dense = 4 * PARAMETERS * partitions
    assert trained(Bsp(), workload, tmp_path / "bsp", steps).total("update_bytes") == dense * steps
    assert trained(FedAvg(local_steps=5), workload, tmp_path / "avg", steps).total("update_bytes") == dense * 4
    kept = sum(max(1, round(size * (1 - 0.9))) for size in (8 * 16, 16, 160, 10))
    assert trained(Dgc(sparsity=0.9), workload, tmp_path / "dgc", steps).total("update_bytes") == 8 * kept * 5 * steps
    travelled = SkewScout(algorithm="fedavg", grid=(5.0,), period=10, samples=50)
    assert trained(travelled, workload, tmp_path / "scout", steps).total("update_bytes") == dense * 4 + dense * 2


def test_sparse_updates_never_cost_more_than_dense_ones(tmp_path: Path) -> None:
    trace = trained(Gaia(threshold=1e-9), Small(**SKEWED), tmp_path / "gaia", 10)
    assert 0.9 * 4 * PARAMETERS * 5 * 10 <= (trace.total("update_bytes") or 0) <= 4 * PARAMETERS * 5 * 10


def test_dgc_warms_up_through_the_papers_sparsities() -> None:
    workload = Small()
    rule = Dgc(warm_up=4).rule(workload, None, [10])  # type: ignore[arg-type]
    rule.start(torch.zeros(1, 10))
    rule.exchange = type("Silent", (), {"partitions": 1, "total_of_some": lambda self, sent, chosen: sent[0]})()
    seen = []
    for step in range(0, 300, 25):
        rule.update(torch.zeros(1, 10), torch.ones(1, 10), step)
        seen.append(rule.setting)
    assert list(dict.fromkeys(seen)) == list(WARM_UP)
    assert seen.index(WARM_UP[-1]) * 25 == 200


def test_gaias_models_differ_by_what_waits() -> None:
    """w_k - w_j = a_j - a_k, where a_k is what partition k has not told the others: its steps that they lack."""
    from harness import TraceWriter
    from harness_skewscout.exchange import Together

    torch.manual_seed(0)
    weights = torch.randn(1, 50, dtype=torch.float64).repeat(3, 1)
    rule = GaiaRule(Together(TraceWriter(), 3), lambda step: 0.1, 0.9, 0.3)
    rule.start(weights)
    for step in range(20):
        rule.update(weights, torch.randn(3, 50, dtype=torch.float64), step)
    for k in range(3):
        torch.testing.assert_close(weights[k] + rule.waiting[k], weights[0] + rule.waiting[0])
    assert rule.waiting.abs().sum() > 0


def test_averaged_statistics_are_the_same_everywhere(tmp_path: Path) -> None:
    workload = Small(**SKEWED, normalization="batch")
    trace = trained(Bsp(statistics="averaged"), workload, tmp_path / "averaged", 10)
    local = trained(Bsp(), workload, tmp_path / "local", 10)
    assert trace.total("update_bytes") == (local.total("update_bytes") or 0) + 4 * 5 * 10 * 2 * 16
    assert losses(trace) != losses(local)
    assert losses(trained(Bsp(statistics="recomputed"), workload, tmp_path / "again", 10)) != losses(local)


def test_a_minibatch_has_to_be_divisible() -> None:
    assert "a minibatch of 20 is not divisible by 3 partitions" in Bsp().refuses(Small(partitions=3), None)  # type: ignore[arg-type]
