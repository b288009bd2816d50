"""The parallelizers as users meet them: whole cells through the command line, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pipelines import Chain, Skipping, job_of, losses, read

from harness import Budget, HarnessError, Trace, devices
from harness_pipedream.models.layers import layer_graph
from harness_pipedream.parallelizers import PARALLELIZERS, GPipe, ModelParallel, NaivePipeline, Pipedream
from harness_pipedream.profiling.profile import Layer, Profile

SUITE = """
title = "Pipelines of a small network"
metrics = ["bytes_sent", "final_loss", "final_accuracy", "throughput"]

[[matrix]]
workload = { name = "census-mlp", batch_size = 256, evaluations = 1, label = "census" }
parallelizer = [
    "serial",
    { name = "pipedream", plan = [{ layers = 2 }, { layers = 1 }], label = "pipedream" },
    { name = "pipedream", workers = 3, plan = [{ layers = 2, replicas = 2 }, { layers = 1 }], label = "replicated" },
    { name = "pipedream", plan = [{ layers = 2 }, { layers = 1 }], flush = 1, label = "sync" },
    { name = "gpipe", plan = [{ layers = 1 }, { layers = [1, 2] }], microbatches = 4, label = "gpipe" },
    { name = "model-parallel", plan = [{ layers = 2 }, { layers = 1 }], label = "model-parallel" },
    { name = "naive-pipeline", plan = [{ layers = 2 }, { layers = 1 }], label = "naive" },
]
device = "processes"
seeds = 1
budget = { steps = 40 }
"""


def test_cells_of_every_kind_train_over_processes(tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(SUITE)
    command = [sys.executable, "-m", "harness", "run", "suite.toml", "-o", "out", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    cells = {cell["parallelizer"]: cell for cell in json.loads(done.stdout)["cells"]}
    assert {cell["outcome"] for cell in cells.values()} == {"done"}
    metrics = {name.split("(")[0]: cell["metrics"] for name, cell in cells.items()}
    for exact in ("sync", "gpipe", "model-parallel"):
        assert metrics[exact]["final_loss"] == pytest.approx(metrics["serial"]["final_loss"], abs=1e-6)
    activation = 256 * 64 * 4
    assert metrics["pipedream"]["bytes_sent"] == metrics["model-parallel"]["bytes_sent"] == 40 * 2 * activation
    assert metrics["replicated"]["bytes_sent"] > 40 * 2 * activation
    assert all(found["final_accuracy"] > 0.7 for found in metrics.values())


def train(method: Any, folder: Path, *, workload: Any = None, steps: int = 12) -> Trace:
    job = job_of(workload or Chain(), folder, Budget(steps=steps))
    method.prepare(job)
    method.run(job)
    return read(job)


def profile_file(folder: Path, seconds: list[float]) -> str:
    layers = tuple(Layer(str(i), s / 3, 2 * s / 3, 80, 120) for i, s in enumerate(seconds))
    Profile.chain(layers, batch_size=4).write(folder / "profile.json")
    return str(folder / "profile.json")


def test_a_configuration_is_cut_where_the_profile_says(tmp_path: Path) -> None:
    profile = profile_file(tmp_path, [5.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    trace = train(Pipedream(plan="1-1", profile=profile), tmp_path / "run")
    found = trace.fact("plan")
    assert [stage["layers"] for stage in found["plan"]["stages"]] == [[0], [1, 2, 3, 4, 5]]
    assert found["seconds"] == pytest.approx(5.0)
    assert {fact["fact"]["stage"] for fact in trace.facts if fact["name"] == "stage"} == {0, 1}


@pytest.mark.parametrize("plan", ["auto", "straight", "data-parallel"])
def test_plans_are_made_from_a_profile(plan: str, tmp_path: Path) -> None:
    method = Pipedream(workers=3, plan=plan, profile=profile_file(tmp_path, [1.0] * 6), bandwidth="1 MB/s")
    trace = train(method, tmp_path / "run")
    found = trace.fact("plan")
    assert found["workers"] == 3
    assert len(found["plan"]["stages"]) == {"auto": 3, "straight": 3, "data-parallel": 1}[plan] or plan == "auto"
    assert trace.total("samples") == 48


def test_the_depth_may_hide_the_links(tmp_path: Path) -> None:
    profile = profile_file(tmp_path, [0.001] * 6)  # a boundary of 80 bytes takes as long as a stage, both ways
    plan = ({"layers": 3}, {"layers": 3})
    trace = train(Pipedream(plan=plan, profile=profile, depth="links", bandwidth=160 / 0.003), tmp_path / "run")
    found = trace.fact("plan")
    assert (found["noam"], found["depth"]) == (2, 3)
    assert found["paced_seconds"] == pytest.approx(0.003)
    versions = trace.values("version", worker=0)
    assert [version for step, version in zip(versions.step, versions.value, strict=True) if step == 11] == [9, 9]


@pytest.mark.parametrize("method", [ModelParallel, partial(Pipedream, flush=1)])
def test_shortcuts_go_through_the_stages_that_they_pass_over(method: Any, tmp_path: Path) -> None:
    workload = Skipping()
    layers = len(layer_graph(workload.model(), workload.train_set()[0]).names)
    plan = ({"layers": 3}, {"layers": 1}, {"layers": layers - 4})
    trace = train(method(workers=3, plan=plan), tmp_path / "run", workload=workload)
    alone = job_of(Skipping(), tmp_path / "alone", Budget(steps=12))
    workload.serial(alone)
    assert losses(trace) == pytest.approx(losses(read(alone)), abs=1e-6)


def test_running_statistics_do_not_disturb_minibatches_in_flight(tmp_path: Path) -> None:
    layers = len(layer_graph(Skipping().model(), Skipping().train_set()[0]).names)
    plan = ({"layers": 4}, {"layers": 2}, {"layers": layers - 6})
    kept, computed = (
        losses(
            train(Pipedream(workers=3, plan=plan, recompute=recompute), tmp_path / str(recompute), workload=Skipping())
        )
        for recompute in (False, True)
    )
    assert kept == pytest.approx(computed, abs=1e-6)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (Pipedream(plan=({"layers": 2}, {"layers": 3})), "plan 1-1 leaves out layer 5"),
        (Pipedream(plan=({"layers": 2}, {"layers": (1, 2, 3, 4, 5)})), "plan 1-1 repeats layer 1"),
        (Pipedream(plan=({"layers": 2}, {"layers": 5})), "names, of a model with 6 layers, layer 6"),
        (Pipedream(workers=3, plan=({"layers": 2}, {"layers": 4})), "plan 1-1 is for 2 workers, not 3"),
        (Pipedream(workers=1, plan=({"layers": 2}, {"layers": 4})), "has 2 stages for 1 workers"),
    ],
)
def test_plans_that_do_not_fit_are_refused(method: Pipedream, message: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=message):
        train(method, tmp_path / "run")


@pytest.mark.parametrize("plan", ["2-", "two-one", "0-1", "1-1-1-1-1-1-1"])
def test_configurations_that_are_none_are_refused(plan: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="plan"):
        train(Pipedream(plan=plan, workers=2, profile=profile_file(tmp_path, [1.0] * 6)), tmp_path / "run")


def test_a_profile_of_another_model_is_refused(tmp_path: Path) -> None:
    method = Pipedream(plan="1-1", profile=profile_file(tmp_path, [1.0] * 5))
    with pytest.raises(HarnessError, match="5 layers, chain has 6"):
        train(method, tmp_path / "run")


def test_minibatches_that_do_not_divide_are_refused_before_anything_runs() -> None:
    assert GPipe(microbatches=3).refuses(Chain(), devices.Cpu()) == (
        "a minibatch of 4 samples does not divide into 3 microbatches"
    )
    assert not GPipe(microbatches=2).refuses(Chain(), devices.Cpu())


def test_a_training_set_smaller_than_a_minibatch_is_refused(tmp_path: Path) -> None:
    method = Pipedream(plan=({"layers": 2}, {"layers": 4}))
    with pytest.raises(HarnessError, match="not one minibatch of 64"):
        train(method, tmp_path / "run", workload=Chain(batch_size=64))


def test_all_of_them_are_offered() -> None:
    assert (GPipe, ModelParallel, NaivePipeline, Pipedream) == PARALLELIZERS


def test_equal_seeds_give_equal_events(tmp_path: Path) -> None:
    method = Pipedream(workers=3, plan=({"layers": 2, "replicas": 2}, {"layers": 4}))
    one, two = (train(method, tmp_path / name) for name in ("one", "two"))
    assert losses(one) == losses(two)
