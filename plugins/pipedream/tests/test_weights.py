"""Weight versions against known answers: a chain of scalars, worked out by hand in float64."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from orders import simulate
from torch import nn

from harness_pipedream.planning.schedule import one_forward_one_backward
from harness_pipedream.running.stage import ModelStage
from harness_pipedream.running.weights import Weights

CASES = json.loads((Path(__file__).parent / "cases" / "semantics.json").read_text())["cases"]
MODES = [(case, mode) for case in CASES for mode in case["modes"]]


class Scalar(nn.Module):
    """One stage of the chain."""

    inputs = (0,)
    outputs = (1,)

    def __init__(self, weight: float, *, last: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float64))
        self.last = last

    def forward(self, h: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.weight * h if self.last else torch.tanh(self.weight * h),)


def stages_of(case: dict[str, Any], *, recompute: bool) -> list[ModelStage]:
    weights = case["initial_weights"]

    def optimizer(module: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(module.parameters(), lr=case["lr"])

    def loss(output: torch.Tensor, unit: int) -> torch.Tensor:
        return 0.5 * (output - case["targets"][unit]) ** 2

    parts = [Scalar(weight, last=index == len(weights) - 1) for index, weight in enumerate(weights)]
    return [ModelStage(p, optimizer, loss=loss if p.last else None, recompute=recompute) for p in parts]


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize(("case", "mode"), MODES, ids=lambda thing: thing if isinstance(thing, str) else "")
def test_each_minibatch_meets_the_weights_that_the_mode_gives_it(
    case: dict[str, Any], mode: str, recompute: bool
) -> None:
    # A naive pipeline that recomputes forgets what its forward saw.
    stages = stages_of(case, recompute=recompute and mode != "naive")
    depth = len(stages)
    if mode == "sgd":
        schedule = one_forward_one_backward([1] * depth, flush=1)
        segments = [simulate(schedule, 1) for _ in case["inputs"]]
    else:
        schedule = one_forward_one_backward([1] * depth, versions=mode)  # type: ignore[arg-type]
        segments = [simulate(schedule, len(case["inputs"]))]
    run(case, stages, segments, case["modes"][mode])


def run(case: dict[str, Any], stages: list[ModelStage], segments: list[Any], expected: list[dict[str, Any]]) -> None:
    base = 0
    moving: dict[tuple[int, str, int], Any] = {}
    for order in segments:
        for rank, op in order:
            stage, unit = stages[rank], base + op.unit
            if op.kind == "forward":
                x = torch.tensor([case["inputs"][unit]], dtype=torch.float64)
                moving[rank + 1, "f", unit] = stage.forward(unit, op.version, moving.pop((rank, "f", unit), (x,)))
                assert op.version + base == expected[unit]["fwd_versions"][rank]
            elif op.kind == "backward":
                moving[rank - 1, "b", unit] = stage.backward(unit, op.version, moving.pop((rank, "b", unit), ()))
                assert op.version + base == expected[unit]["bwd_versions"][rank]
                (gradient,) = stage.weights.gradients
                assert float(gradient) == pytest.approx(expected[unit]["grads"][rank], abs=1e-9)
            else:
                stage.weights.step(op.version, oldest=op.oldest, units=1)
                wanted = expected[base + op.unit - 1]["weights_after"][rank]
                assert float(stage.weights.newest[0].detach()) == pytest.approx(wanted, abs=1e-9)
        for stage in stages:
            stage.weights.restart()
        base += len(order) // 3 // len(stages)
    assert base == len(case["inputs"])


def dense() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(3, 2, bias=False)


def sgd(module: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)


def test_only_versions_that_are_still_needed_are_kept() -> None:
    weights = Weights(dense(), sgd)
    for version in range(1, 6):
        weights.step(version, oldest=max(0, version - 2), units=1)
        assert weights.versions == list(range(max(0, version - 2), version + 1))
    weights.step(6, oldest=6, units=1)
    assert weights.versions == [6]


def test_where_no_version_is_needed_nothing_is_copied() -> None:
    weights = Weights(dense(), sgd)
    storage = weights.newest[0].data_ptr()
    for version in range(1, 4):
        weights.step(version, oldest=version, units=1)
    assert weights.newest[0].data_ptr() == storage


def test_parameters_tied_within_a_stage_stay_tied() -> None:
    module = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    module[1].weight = module[0].weight
    weights = Weights(module, sgd)
    weights.step(1, oldest=0, units=1)
    weights.install(1)
    assert module[1].weight is module[0].weight


def test_recomputation_repeats_dropout_and_leaves_running_statistics_alone() -> None:
    class Part(nn.Sequential):
        inputs = (0,)
        outputs = (1,)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
            return (super().forward(x),)

    def gradients(*, recompute: bool) -> tuple[torch.Tensor, torch.Tensor]:
        torch.manual_seed(1)
        part = Part(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout())
        stage = ModelStage(part, sgd, recompute=recompute)
        (output,) = stage.forward(0, 0, (torch.randn(8, 4),))
        torch.rand(3)
        stage.backward(0, 0, (torch.ones_like(output),))
        return torch.cat([g.flatten() for g in stage.weights.gradients]), part[1].running_mean.clone()

    for kept, computed in zip(gradients(recompute=False), gradients(recompute=True), strict=True):
        assert torch.equal(kept, computed)
