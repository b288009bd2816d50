"""A plan explained: its stages, what holds it up, and what it promises over data parallelism."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness_pipedream.planning.costs import Cost, cost_model
from harness_pipedream.planning.levels import Level
from harness_pipedream.planning.plan import Plan
from harness_pipedream.planning.planner import data_parallel
from harness_pipedream.planning.predict import Prediction, StagePrediction, predict
from harness_pipedream.profiling.profile import Profile


@dataclass(frozen=True)
class Explanation:
    """A plan's prediction beside those of data parallelism and of one worker, under one cost model."""

    profile: Profile
    cost: str
    prediction: Prediction
    data_parallel: Prediction

    @property
    def speedup(self) -> float:
        """Predicted minibatches a second over those of data parallelism."""
        return self.data_parallel.seconds / self.prediction.seconds

    @property
    def speedup_over_one(self) -> float:
        """Predicted minibatches a second over those of one worker."""
        return self.profile.seconds / self.prediction.seconds

    @property
    def communication_saved(self) -> float | None:
        """The share of data parallelism's bytes that the plan saves; ``None`` where that sends none."""
        whole = self.data_parallel.communication_bytes
        return 1 - self.prediction.communication_bytes / whole if whole else None

    def to_json(self) -> dict[str, Any]:
        """The plan and all figures as JSON; times in seconds per minibatch."""
        plan, found = self.prediction.plan, self.prediction
        return {
            "plan": plan.to_json(),
            "config": str(plan),
            "kind": plan.kind,
            "cost": self.cost,
            "workers": plan.workers,
            "noam": plan.noam,
            "seconds": found.seconds,
            "data_parallel_seconds": self.data_parallel.seconds,
            "one_worker_seconds": self.profile.seconds,
            "speedup": self.speedup,
            "bottleneck": found.bottleneck,
            "memory_bytes": found.memory_bytes,
            "data_parallel_memory_bytes": self.data_parallel.memory_bytes,
            "communication_bytes": found.communication_bytes,
            "data_parallel_communication_bytes": self.data_parallel.communication_bytes,
            "stages": [
                {**_stage_json(self.profile, stage), "ranks": list(ranks)}
                for stage, ranks in zip(found.stages, plan.ranks, strict=True)
            ],
        }


def explain(
    plan: Plan, profile: Profile, levels: Sequence[Level], *, cost: str | Cost = "ring", optimizer_copies: int = 1
) -> Explanation:
    """Work out what a plan, found or given, promises on these levels."""
    model = cost_model(cost) if isinstance(cost, str) else cost
    baseline = data_parallel(profile, levels, cost=model)
    return Explanation(
        profile=profile,
        cost=model.name,
        prediction=predict(plan, profile, levels, model, optimizer_copies=optimizer_copies),
        data_parallel=predict(baseline, profile, levels, model, optimizer_copies=optimizer_copies),
    )


def why(stage: StagePrediction) -> str:
    """What most of a stage's time is: its layers, averaging its gradients, or its input."""
    shares = {
        "compute": stage.compute_seconds,
        "all-reduce": stage.sync_seconds,
        "input": stage.input_seconds,
    }
    return max(shares, key=lambda name: shares[name])


def _stage_json(profile: Profile, stage: StagePrediction) -> dict[str, Any]:
    layers = stage.stage.layers
    return {
        "layers": list(layers),
        "first_layer": profile.layers[layers[0]].name,
        "last_layer": profile.layers[layers[-1]].name,
        "replicas": stage.stage.replicas,
        "seconds": stage.seconds,
        "compute_seconds": stage.compute_seconds,
        "sync_seconds": stage.sync_seconds,
        "input_seconds": stage.input_seconds,
        "held_up_by": why(stage),
        "parameter_bytes": stage.parameter_bytes,
        "input_bytes": stage.input_bytes,
        "in_flight": stage.in_flight,
        "memory_bytes": stage.memory_bytes,
    }
