"""Checkpoints: training that was cut off goes on as if it had not been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pipelines import Chain, Fragile, job_of, losses, pipeline, read

from harness import Budget, HarnessError, Trace, devices
from harness_pipedream.parallelizers import Pipedream
from harness_pipedream.planning.schedule import one_forward_one_backward
from harness_pipedream.running.checkpoint import Checkpoints

WORKLOAD = Chain()
STAGES = ({"layers": 2}, {"layers": 3}, {"layers": 1})


def train(folder: Path, steps: int, checkpoints: Path, *, every: int | None, replicas: list[int]) -> dict[int, float]:
    schedule = one_forward_one_backward(replicas)
    kept = Checkpoints(checkpoints, every)
    return losses(pipeline(WORKLOAD, schedule, folder, Budget(steps=steps), checkpoints=kept))


@pytest.mark.parametrize(("every", "first"), [(None, 24), (5, 15)])
@pytest.mark.parametrize("replicas", [[1, 1, 1], [2, 1]])
def test_resumed_training_equals_training_in_one_go(
    every: int | None, first: int, replicas: list[int], tmp_path: Path
) -> None:
    whole = train(tmp_path / "whole", 30, tmp_path / "a", every=every, replicas=replicas)
    train(tmp_path / "half", first, tmp_path / "b", every=every, replicas=replicas)
    rest = train(tmp_path / "rest", 30, tmp_path / "b", every=every, replicas=replicas)
    assert min(rest) > first
    assert rest == {step: loss for step, loss in whole.items() if step > first}


def test_old_checkpoints_go_and_one_that_not_all_stages_wrote_is_passed_over(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "kept", 5)
    train(tmp_path / "run", 20, kept.folder, every=5, replicas=[1, 1])
    assert kept.complete(2) == [15, 20]
    assert not list(kept.folder.glob("step-5-*"))
    (kept.folder / "step-20-stage-1.pt").unlink()
    (kept.folder / ".step-20-stage-1.pt.7.1").touch()
    assert kept.complete(2) == [15]


def test_another_runs_checkpoint_and_a_broken_one_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    train(tmp_path / "run", 5, folder, every=5, replicas=[1, 1])
    with pytest.raises(HarnessError, match="another run's; empty the folder"):
        train(tmp_path / "other", 10, folder, every=5, replicas=[2, 1])
    torch.save({"replicas": [1, 1]}, folder / "step-5-stage-0.pt")
    with pytest.raises(HarnessError, match=r"step-5-stage-0.pt: no checkpoint of this stage"):
        train(tmp_path / "again", 10, folder, every=5, replicas=[1, 1])


def run(method: Pipedream, workload: Any, folder: Path) -> Trace:
    job = job_of(workload, folder, Budget(steps=30), device=devices.Processes())
    method.prepare(job)
    method.run(job)
    return read(job)


def test_training_survives_the_loss_of_a_worker(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    method = Pipedream(workers=3, plan=STAGES, checkpoint=5, restarts=1)
    undisturbed = losses(run(method, Fragile(mark=str(mark)), tmp_path / "undisturbed"))
    mark.touch()
    trace = run(method, Fragile(mark=str(mark)), tmp_path / "disturbed")
    assert not mark.exists()
    assert "worker 2 died (signal 9)" in trace.fact("restart")["because"]
    assert losses(trace)[30] == undisturbed[30]
    resumed = trace.spans("restore", worker=0).step.tolist()
    assert resumed == [15]
    assert len(trace.spans("forward", worker=0).step) >= 30


def test_without_restarts_the_loss_of_a_worker_is_told_of(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    mark.touch()
    with pytest.raises(devices.WorkerFailed, match=r"worker 2 died \(signal 9\)"):
        run(Pipedream(workers=3, plan=STAGES), Fragile(mark=str(mark)), tmp_path / "run")
