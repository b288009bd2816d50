"""torch's pipelines train as one worker does, send what their shapes say, and stop together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra pipelining")
pytest.importorskip("harness_pipedream", reason="needs the extra pipelining")

import torch
from nets import SEED, Images, Skipping, Text, losses, run, serial

import harness_peers
from harness import Budget, HarnessError, Job, Trace, TraceWriter, devices
from harness.testing.chain import LAYERS, WIDTH, Chain
from harness_peers.pipelining import Torch1F1B, TorchGPipe, TorchInterleaved, TorchPipeline

STEPS = 8
DEPTH = 2 * LAYERS


def even(stages: int, layers: int = DEPTH) -> Any:
    """Tables of stages with as many layers each."""
    return [{"layers": (layers + stage) // stages} for stage in range(stages)]


METHODS: list[TorchPipeline] = [
    Torch1F1B(workers=3, plan=even(3)),
    TorchGPipe(plan=even(2), microbatches=2),
    TorchInterleaved(plan=even(4)),
    TorchInterleaved(stages_each=3, plan=even(6), microbatches=2),
    TorchInterleaved(workers=1, plan=even(2)),
]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    return serial(Chain(), tmp_path_factory.mktemp("serial") / "run", steps=STEPS)


@pytest.fixture(scope="module", params=METHODS, ids=lambda m: f"{m.name}-{m.workers}-{m.stages}-{m.microbatches}")
def piped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[TorchPipeline, Trace]:
    method = request.param
    return method, run(method, Chain(), tmp_path_factory.mktemp("torch") / "run", steps=STEPS)


def test_losses_are_those_of_one_worker(reference: Trace, piped: tuple[TorchPipeline, Trace]) -> None:
    assert list(losses(reference)) == list(range(1, STEPS + 1))
    assert losses(piped[1]) == pytest.approx(losses(reference), abs=1e-6)


def test_each_boundary_between_workers_is_crossed_by_activations_and_gradients(
    piped: tuple[TorchPipeline, Trace],
) -> None:
    method, trace = piped
    boundaries = method.stages - 1 if method.workers > 1 else 0
    counted = trace.at_work(trace.counts("bytes_sent"))
    assert counted.value.sum() == STEPS * boundaries * 2 * Chain().batch_size * WIDTH * 4
    assert set(counted.value.tolist()) <= {Chain().batch_size // method.microbatches * WIDTH * 4}


def test_every_stage_records_its_microbatches(piped: tuple[TorchPipeline, Trace]) -> None:
    method, trace = piped
    each = method.stages // method.workers
    expected = [step for step in range(STEPS) for _ in range(each * method.microbatches)]
    for worker in range(method.workers):
        for name in ("forward", "backward"):
            assert trace.spans(name, worker=worker).step.tolist() == expected
        assert trace.spans("update", worker=worker).step.tolist() == list(range(STEPS))
    last = (method.stages - 1) % method.workers
    assert trace.counts("samples", worker=last).step.tolist() == list(range(STEPS))
    assert trace.total("samples") == STEPS * Chain().batch_size


def reference_losses(workload: Images, microbatches: int) -> dict[int, float]:
    """Losses of training with gradients that are averaged over microbatches, in one process."""
    job: Any = Job(workload, devices.Cpu(), Budget(steps=STEPS), SEED, TraceWriter(), Path())
    model, found = workload.initial_model(SEED), {}
    optimizer = torch.optim.SGD(
        model.parameters(), lr=workload.rate, momentum=workload.momentum, weight_decay=workload.weight_decay
    )
    inputs, targets = workload.train_set()
    per_epoch = len(targets) // workload.batch_size
    for step in range(STEPS):
        batch = list(workload.batches(job.rng(step - step % per_epoch)))[step % per_epoch]
        optimizer.zero_grad()
        for part in torch.from_numpy(batch).chunk(microbatches):
            (workload.loss(model(inputs[part]), targets[part]) / microbatches).backward()
        optimizer.step()
        model.eval()
        found[step + 1] = workload.scores(model)[0]
        model.train()
    return found


def test_batch_normalization_sees_each_microbatch_once(tmp_path: Path) -> None:
    method = Torch1F1B(plan=[{"layers": 3}, {"layers": 3}], microbatches=2)
    trace = run(method, Images(), tmp_path / "run", steps=STEPS)
    assert losses(trace) == pytest.approx(reference_losses(Images(), 2), abs=1e-5)


@pytest.mark.parametrize("method", [Torch1F1B, TorchGPipe])
def test_no_gradient_returns_to_a_stage_without_parameters(method: type[TorchPipeline], tmp_path: Path) -> None:
    plan = [{"layers": 1}, {"layers": 5}]
    trace = run(method(plan=plan, microbatches=2), Images(), tmp_path / "run", steps=STEPS)
    assert losses(trace) == pytest.approx(reference_losses(Images(), 2), abs=1e-5)
    assert trace.at_work(trace.counts("bytes_sent")).value.sum() == STEPS * Images().batch_size * 16 * 4


def test_tokens_and_views_are_handed_on(tmp_path: Path) -> None:
    method = Torch1F1B(workers=3, plan=even(3, 3))
    trace = run(method, Text(), tmp_path / "run", steps=STEPS)
    expected = losses(serial(Text(), tmp_path / "serial", steps=STEPS))
    assert losses(trace) == pytest.approx(expected, abs=1e-6)


def test_a_target_ends_all_workers_where_it_ends_one(tmp_path: Path) -> None:
    expected = losses(serial(Chain(), tmp_path / "serial", steps=30))
    target = min(expected.values()) + 1e-5
    reached = next(step for step, loss in expected.items() if loss <= target)
    assert 1 < reached < 30
    trace = run(TorchGPipe(plan=even(2)), Chain(), tmp_path / "run", epochs=9, target=f"loss <= {target}")
    assert list(losses(trace)) == list(range(1, reached + 1))


def test_all_workers_stop_after_the_same_minibatch_when_time_is_up(tmp_path: Path) -> None:
    trace = run(Torch1F1B(workers=3, plan=even(3)), Chain(), tmp_path / "run", seconds=0.5)
    steps = {int(trace.spans("update", worker=worker).step.max()) for worker in range(3)}
    assert len(steps) == 1
    assert trace.values("loss").step[-1] == steps.pop() + 1


def test_a_fraction_of_an_epoch_takes_as_many_minibatches_as_one_worker(tmp_path: Path) -> None:
    epochs = 7.5 / 6
    expected = serial(Chain(), tmp_path / "serial", epochs=epochs).total("samples")
    assert run(Torch1F1B(plan=even(2)), Chain(), tmp_path / "run", epochs=epochs).total("samples") == expected


def test_a_straight_plan_is_cut_where_a_profile_says(tmp_path: Path) -> None:
    trace = run(TorchInterleaved(microbatches=2, repeats=2), Chain(), tmp_path / "run", steps=2)
    stages = [stage["layers"] for stage in trace.fact("plan")["plan"]["stages"]]
    assert len(stages) == 4
    assert sorted(layer for layers in stages for layer in layers) == list(range(DEPTH))


def test_a_cut_that_a_skip_connection_crosses_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"after stage 0, .* and .* are needed; cut where"):
        run(Torch1F1B(plan=[{"layers": 2}, {"layers": 1}]), Skipping(), tmp_path / "over", steps=1)
    run(Torch1F1B(plan=[{"layers": 1}, {"layers": 2}]), Skipping(), tmp_path / "before", steps=1)


@pytest.mark.parametrize(
    ("method", "why"),
    [
        (Torch1F1B(microbatches=3), "a minibatch of 8 samples does not divide into 3 microbatches"),
        (Torch1F1B(workers=4, microbatches=2), "at least as many microbatches as stages, 4"),
        (TorchInterleaved(workers=3, microbatches=8), ""),
        (TorchInterleaved(workers=2, microbatches=5), "2 rounds here: the microbatches must be a multiple of that"),
        (TorchGPipe(plan=even(3)), "torch-gpipe runs 2 stages on 2 workers, the plan has 3"),
        (TorchGPipe(plan=[{"layers": 1, "replicas": 2}, {"layers": 1}]), "leave out replicas"),
    ],
)
def test_what_torch_cannot_run_is_refused_before_anything_runs(method: TorchPipeline, why: str) -> None:
    refused = method.refuses(Chain(), devices.Processes())
    assert why in refused
    assert bool(why) == bool(refused)


@pytest.mark.parametrize("method", METHODS[:3], ids=lambda m: m.name)
def test_threads_are_refused(method: TorchPipeline, tmp_path: Path) -> None:
    why = "use a device that runs workers as processes"
    assert why in method.refuses(Chain(), devices.Cpu())
    with pytest.raises(devices.WorkerFailed, match=why):
        run(method, Chain(), tmp_path / "run", steps=1, device=devices.Cpu())


def test_peers_of_a_plugin_that_is_not_installed_are_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness_peers, "find_spec", lambda name: object() if name == "harness_pipedream" else None)
    offered = {method.name for method in harness_peers.harness_parallelizers()}
    assert offered == {"torch-1f1b", "torch-gpipe", "torch-interleaved"}


SUITE = """
title = "torch's pipelines of a small network"
metrics = ["bytes_sent", "final_loss", "throughput"]

[[matrix]]
workload = { name = "census-mlp", batch_size = 256, evaluations = 1, label = "census" }
parallelizer = [
    "serial",
    { name = "torch-1f1b", plan = [{ layers = 2 }, { layers = 1 }], label = "1f1b" },
    { name = "torch-gpipe", plan = [{ layers = 1 }, { layers = [1, 2] }], label = "gpipe" },
]
device = "processes"
seeds = 1
budget = { steps = 20 }
"""


def test_cells_of_the_command_line_train_over_processes(tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(SUITE)
    command = [sys.executable, "-m", "harness", "run", "suite.toml", "-o", "out", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500)
    cells = {cell["parallelizer"]: cell for cell in json.loads(done.stdout)["cells"]}
    for name in ("1f1b", "gpipe"):
        metrics = cells[name]["metrics"]
        assert metrics["final_loss"] == pytest.approx(cells["serial"]["metrics"]["final_loss"], abs=1e-5)
        assert metrics["bytes_sent"] == 20 * 2 * 256 * 64 * 4
