"""Checkpoints by stage, taken where the pipeline is empty: at ends of epochs, or every so many minibatches.

The first replica of each stage writes its newest weights, buffers and optimizer state, with no word to
the others; a checkpoint is complete once all stages have written theirs. Training resumes from the
last complete one, exactly as if it had gone on.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import HarnessError

if TYPE_CHECKING:
    from harness import Worker
    from harness_pipedream.planning.schedule import Schedule
    from harness_pipedream.running.runtime import Share

KEPT = 2  # complete checkpoints that are not yet removed
NAME = re.compile(r"step-(\d+)-stage-(\d+)\.pt")


@dataclass(frozen=True)
class Checkpoints:
    """A folder that all workers see, and after how many minibatches a checkpoint is due; an epoch if ``None``."""

    folder: Path
    every: int | None = None

    def complete(self, stages: int) -> list[int]:
        """The minibatches after which every stage wrote its part, in rising order."""
        found: dict[int, set[int]] = {}
        for path in self.folder.glob("step-*-stage-*.pt"):
            if match := NAME.fullmatch(path.name):
                found.setdefault(int(match[1]), set()).add(int(match[2]))
        return sorted(step for step, parts in found.items() if parts == set(range(stages)))

    def restore(self, worker: Worker, schedule: Schedule, share: Share) -> int:
        """Load the last complete checkpoint, if there is one; the minibatches that were done then."""
        import numpy as np

        steps = self.complete(len(schedule.replicas)) if worker.rank == 0 else []
        step = int(worker.comm.broadcast(np.array(steps[-1] if steps else 0) if worker.rank == 0 else None))
        if step:
            stage, _ = schedule.place(worker.rank)
            with worker.trace.span("restore", step=step):
                self._load(self._path(step, stage), identity(worker, schedule), share)
        return step

    def save(self, worker: Worker, schedule: Schedule, share: Share, step: int) -> None:
        """Write this stage's part."""
        import torch

        stage, replica = schedule.place(worker.rank)
        if replica:
            return
        path = self._path(step, stage)
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{worker.rank}")
        with worker.trace.span("checkpoint", step=step):
            torch.save({"run": identity(worker, schedule), **share.stage.checkpoint()}, temporary)
            temporary.replace(path)
        self._prune(stage, oldest=min(self.complete(len(schedule.replicas))[-KEPT:], default=0))

    def _prune(self, stage: int, *, oldest: int) -> None:
        for path in self.folder.glob(f"step-*-stage-{stage}.pt"):
            match = NAME.fullmatch(path.name)
            if match and int(match[1]) < oldest:
                path.unlink()

    def _load(self, path: Path, run: dict[str, Any], share: Share) -> None:
        import torch

        try:
            found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            if found.pop("run") != run:
                raise ValueError("it is another run's")
            share.stage.resume(found)
        except Exception as error:
            raise HarnessError(f"no checkpoint of this stage: {error}; empty the folder", where=str(path)) from error

    def _path(self, step: int, stage: int) -> Path:
        return self.folder / f"step-{step}-stage-{stage}.pt"


def identity(worker: Worker, schedule: Schedule) -> dict[str, Any]:
    """What must be equal for one run to go on from another's checkpoint."""
    job = worker.job
    workload = {"name": job.workload.name, **job.workload.parameters()}
    return {"replicas": list(schedule.replicas), "seed": job.seed, "workload": workload}
