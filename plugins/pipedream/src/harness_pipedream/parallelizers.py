"""PipeDream, and the other ways to run a pipeline that it is held against."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, PrivateAttr

from harness import Device, Job, Parallelizer, TrainingWorkload, Workload, units
from harness_pipedream.profiling.published import PublishedProfile

if TYPE_CHECKING:
    from harness_pipedream.planning.levels import Level
    from harness_pipedream.planning.memory import MemoryLimit
    from harness_pipedream.planning.plan import Plan
    from harness_pipedream.planning.predict import Prediction
    from harness_pipedream.planning.schedule import Schedule
    from harness_pipedream.profiling.profile import Profile
    from harness_pipedream.running.preparing import Prepared


class StageFields(BaseModel):
    """A stage of an explicit plan: how many layers, or which, and how many replicas."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layers: PositiveInt | tuple[NonNegativeInt, ...]
    replicas: PositiveInt = 1


class PipelineParallelizer(Parallelizer[TrainingWorkload | PublishedProfile]):
    """Divides a model's layers into stages, and the stages over workers; kinds differ in their schedule."""

    imports: ClassVar[tuple[str, ...]] = ("harness_pipedream.running.runtime", "harness_pipedream.running.training")
    predictable: ClassVar[bool] = False

    workers: PositiveInt = Field(2, description="workers, of all stages together")
    plan: str | tuple[StageFields, ...] = Field(
        "auto",
        description="auto, straight or data-parallel (planned from a profile); replicas by stage, such as '2-1', cut "
        "where a profile says; or tables with layers (a number, or indices) and replicas",
    )
    profile: str = Field("", description="a profile's file to plan with; measured if empty")
    repeats: PositiveInt = Field(20, description="minibatches that a measured profile is the median of")
    cost: Literal["ring", "paper", "release"] = Field("ring", description="the planner's cost of an all-reduce")
    bandwidth: units.ByteRate = Field(1.25e9, description="between workers, where the device has no levels of its own")
    memory: units.ByteSize | None = Field(None, description="that one worker has; the planner keeps within it")
    recompute: bool = Field(False, description="keep only a stage's inputs, and repeat its forward before its backward")
    checkpoint: PositiveInt | Literal["never", "epoch"] = Field(
        "never", description="when each stage is saved: minibatches between two, which drain the pipeline, or epoch"
    )
    checkpoints: str = Field("", description="their folder, from which training resumes; the cell's own if empty")
    restarts: NonNegativeInt = Field(0, description="launches more, from the last checkpoint, if a worker is lost")

    _prepared: Prepared | None = PrivateAttr(None)

    @property
    def pieces(self) -> int:
        """The parts that a minibatch is handled in."""
        return 1

    @property
    def needs_profile(self) -> bool:
        """Whether even a plan that leaves nothing open needs a profile."""
        return False

    @abstractmethod
    def schedule(self, plan: Plan, prediction: Prediction | None = None) -> Schedule:
        """The order of work for a plan's stages, and for what was predicted of them where a profile is known."""

    def settled(self, best: Plan, profile: Profile, levels: Sequence[Level], memory: MemoryLimit | None) -> Plan:
        """The planner's best plan, fitted to the schedule."""
        return best

    def refuses(self, workload: Workload, device: Device) -> str:
        """Refuse profiles on devices that compute, and minibatches that do not divide."""
        if isinstance(workload, PublishedProfile) and not hasattr(device, "numerics"):
            return "a profile has no numerics: only the device 'simulated' runs it"
        size = getattr(workload, "batch_size", self.pieces)
        if size % self.pieces:
            return f"a minibatch of {size} samples does not divide into {self.pieces} microbatches"
        return ""

    def prepare(self, job: Job[Any]) -> None:
        """Profile where that is needed, and plan."""
        from harness_pipedream.running.preparing import prepare

        self._prepared = prepare(self, job)

    def run(self, job: Job[Any]) -> None:
        """Train on the planned pipeline."""
        from harness_pipedream.running.restarts import launch

        if self._prepared is None:
            self.prepare(job)
        assert self._prepared is not None
        launch(self._prepared, job, restarts=self.restarts)


class AsynchronousPipeline(PipelineParallelizer):
    """1F1B: every stage updates its weights after each of its backwards."""

    predictable: ClassVar[bool] = True

    depth: PositiveInt | Literal["links"] | None = Field(
        None,
        description="minibatches in flight at each input replica; NOAM if not set, which counts computation alone; "
        "links: as many as hide the links' time too, by a profile",
    )
    flush: PositiveInt | None = Field(None, description="minibatches between two drains; an epoch if not set")
    scaling: Literal["constant", "linear", "relative"] = Field(
        "constant",
        description="step size of a stage with r replicas, which averages r minibatches: the workload's, r times that, "
        "or r over the input stage's replicas times that, as in the released runtime",
    )

    @property
    def needs_profile(self) -> bool:
        """Whether the depth depends on it."""
        return self.depth == "links"

    def settled(self, best: Plan, profile: Profile, levels: Sequence[Level], memory: MemoryLimit | None) -> Plan:
        """The best plan, cut where the minibatches in flight wait least; as it is if there are enough to hide links."""
        from harness_pipedream.planning.costs import cost_model
        from harness_pipedream.planning.pacing import recut

        if self.depth == "links":
            return best
        return recut(best, profile, levels, cost_model(self.cost), depth=self.depth, memory=memory)

    def in_flight(self, prediction: Prediction | None) -> int | None:
        """The depth in minibatches; ``None`` for NOAM."""
        from harness_pipedream.planning.pacing import hiding_depth

        if self.depth != "links":
            return self.depth
        assert prediction is not None
        return hiding_depth(prediction)


class Pipedream(AsynchronousPipeline):
    """Pipelined training with weight stashing and replicated stages (Narayanan et al., SOSP 2019)."""

    name: ClassVar[str] = "pipedream"

    versions: Literal["weight_stashing", "vertical_sync"] = Field(
        "weight_stashing", description="of weights: a stage's newest at the forward, or what the input stage used"
    )

    def schedule(self, plan: Plan, prediction: Prediction | None = None) -> Schedule:
        """1F1B-RR with a backward at its forward's weights."""
        from harness_pipedream.planning.schedule import one_forward_one_backward

        replicas = [stage.replicas for stage in plan.stages]
        return one_forward_one_backward(
            replicas, depth=self.in_flight(prediction), flush=self.flush, versions=self.versions
        )


class NaivePipeline(AsynchronousPipeline):
    """PipeDream without weight stashing: backwards meet newer weights than their forwards did."""

    name: ClassVar[str] = "naive-pipeline"

    def schedule(self, plan: Plan, prediction: Prediction | None = None) -> Schedule:
        """1F1B-RR with one version of the weights."""
        from harness_pipedream.planning.schedule import one_forward_one_backward

        replicas = [stage.replicas for stage in plan.stages]
        return one_forward_one_backward(replicas, depth=self.in_flight(prediction), flush=self.flush, versions="naive")


class GPipe(PipelineParallelizer):
    """Microbatches through the pipeline, then a flush and one update (Huang et al., NeurIPS 2019)."""

    name: ClassVar[str] = "gpipe"

    microbatches: PositiveInt = Field(4, description="parts of a minibatch")
    alternating: bool = Field(False, description="forwards and backwards in turns, to keep fewer activations")

    @property
    def pieces(self) -> int:
        """The microbatches."""
        return self.microbatches

    def schedule(self, plan: Plan, prediction: Prediction | None = None) -> Schedule:
        """Fill, drain, update."""
        from harness_pipedream.planning.schedule import fill_and_drain

        replicas = [stage.replicas for stage in plan.stages]
        return fill_and_drain(replicas, self.microbatches, alternating=self.alternating)


class ModelParallel(PipelineParallelizer):
    """Stages without pipelining: one minibatch at a time, so that one stage works at a time."""

    name: ClassVar[str] = "model-parallel"

    def schedule(self, plan: Plan, prediction: Prediction | None = None) -> Schedule:
        """One minibatch forwards, then backwards."""
        from harness_pipedream.planning.schedule import fill_and_drain

        return fill_and_drain([stage.replicas for stage in plan.stages], 1)


PARALLELIZERS: tuple[type[Parallelizer[Any]], ...] = (GPipe, ModelParallel, NaivePipeline, Pipedream)
