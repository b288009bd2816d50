"""The base classes of everything that a plugin may provide: frozen models whose fields are parameters."""

from __future__ import annotations

import importlib.util
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from harness.errors import HarnessError
from harness.formula import Condition
from harness.trace import TraceWriter

if TYPE_CHECKING:
    import numpy as np

    from harness.tracefile import Trace
    from harness.worker import Worker

Result = TypeVar("Result")
Start = Literal["fork", "spawn", "torchrun"]


@dataclass(frozen=True)
class Availability:
    """Whether a component can run here; if not, what is missing and the command that brings it."""

    ok: bool
    reason: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        return "; ".join(part for part in (self.reason, self.remedy) if part)


class Component(BaseModel):
    """Something with a name and parameters. Its first docstring line is its summary everywhere.

    ``requires`` names modules that an optional extra brings; without them the component is not
    available, and ``remedy`` is the command that is shown. ``imports`` names the heavy modules that
    running it will import, so that an engine can import them ahead of the clock. ``expected_failures``
    maps checks of the conformance kit that it cannot pass to the reason why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, defer_build=True)

    name: ClassVar[str]
    requires: ClassVar[tuple[str, ...]] = ()
    remedy: ClassVar[str] = ""
    imports: ClassVar[tuple[str, ...]] = ()
    expected_failures: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").strip().split("\n")[0]

    def availability(self) -> Availability:
        """Whether it can run on this machine."""
        missing = [module for module in self.requires if importlib.util.find_spec(module) is None]
        if missing:
            return Availability(False, f"{self.name} needs {', '.join(missing)}", self.remedy)
        return Availability(True)

    def parameters(self) -> dict[str, Any]:
        """Every parameter's value, as JSON."""
        return self.model_dump(mode="json")


class Workload(Component, ABC):
    """What has to be done: data, model or loop, loss, and how good an answer is.

    A workload travels to workers as its parameters alone; each worker calls ``prepare`` again, so
    what is expensive belongs in a cache on disk and in ``functools.cached_property``.
    """

    @abstractmethod
    def prepare(self) -> None:
        """Fetch, generate and partition; idempotent, and outside every time metric."""

    def keep(self, seed: int) -> None:
        """Make what a cell of this seed reads from disk, unless it is there; idempotent, and outside every time metric.

        Each cell calls it after ``prepare``. On one machine it is called for several seeds at a time before the first
        cell, so what takes minutes to make belongs here.
        """

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        fields = {key: value for key, value in state["__dict__"].items() if key in type(self).model_fields}
        return {**state, "__dict__": fields}


class Serial(ABC):
    """Mixed into a workload kind that offers the plain one-worker reference run."""

    @abstractmethod
    def serial(self, job: Job[Any]) -> None:
        """Do the work with one worker and no division of it."""


W = TypeVar("W", bound=Workload)


def _named_condition(text: str) -> str:
    Condition.parse_named(text)
    return text


Target = Annotated[str, AfterValidator(_named_condition)]


class Budget(BaseModel):
    """How far a cell goes: it ends at whichever of these comes first."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    epochs: PositiveFloat | None = Field(None, description="passes over the data")
    steps: PositiveInt | None = Field(None, description="steps, such as minibatches")
    seconds: PositiveFloat | None = Field(None, description="seconds of run time, evaluation left out")
    target: Target | None = Field(None, description="a condition on a traced value, such as 'accuracy >= 0.85'")

    def last_step(self, per_epoch: float) -> float:
        """The step that steps and epochs end with, which all workers know beforehand; infinite if neither is set."""
        steps = math.inf if self.steps is None else self.steps
        if self.epochs is None:
            return steps
        whole = math.ceil(self.epochs * per_epoch)  # which rounding may have made one too many
        return min(steps, whole - 1 if (whole - 1) / per_epoch >= self.epochs else whole)

    @property
    def goal(self) -> Condition | None:
        """The target, parsed."""
        return Condition.parse_named(self.target) if self.target else None


@dataclass(frozen=True)
class Job(Generic[W]):
    """One cell's work as a parallelizer sees it; ``folder`` is the cell's own, for files it leaves."""

    workload: W
    device: Device
    budget: Budget
    seed: int
    trace: TraceWriter
    folder: Path
    numerics: bool = True

    def spent(self, *, epochs: float = 0.0, steps: int = 0) -> bool:
        """Whether the budget is used up, its target reached or the run diverged, as this process's trace tells."""
        budget = self.budget
        goal = budget.goal
        return (
            (budget.epochs is not None and epochs >= budget.epochs)
            or (budget.steps is not None and steps >= budget.steps)
            or (budget.seconds is not None and self.trace.elapsed() >= budget.seconds)
            or self.trace.not_finite is not None
            or (goal is not None and goal.name in self.trace.latest and goal.met(self.trace.latest[goal.name]))
        )

    def rng(self, *key: int) -> np.random.Generator:
        """A random stream of this cell; different keys give independent streams."""
        import numpy as np

        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    def launch(self, main: Callable[[Worker], Result], workers: int) -> list[Result]:
        """Run ``main`` once per worker on the job's device; what each returned, by rank."""
        return self.device.launch(main, workers, self)


class Parallelizer(Component, Generic[W], ABC):
    """A way to divide a workload's work; the type parameter names the workload kinds it accepts.

    It writes facts to the trace and never draws conclusions: metrics do.
    """

    @classmethod
    def accepts(cls) -> tuple[type[Any], ...]:
        """The workload kinds named by the type parameter; a union gives several."""
        for base in cls.__mro__:
            generic = getattr(base, "__pydantic_generic_metadata__", {})
            if generic.get("origin") is Parallelizer:
                (argument,) = generic["args"]
                return get_args(argument) or (argument,)
        return (Workload,)

    def refuses(self, workload: Workload, device: Device) -> str:
        """Why it cannot do this very workload on this device; empty if it can. Asked before anything runs."""
        return ""

    def prepare(self, job: Job[W]) -> None:
        """Compile, profile, plan and warm up: before the clock and the budget start."""

    @abstractmethod
    def run(self, job: Job[W]) -> None:
        """Do the work until the budget is spent, recording facts in the trace."""


class Device(Component, ABC):
    """Where a cell runs, and whose clock and links count.

    ``start`` says how a cell's process is made: from a warm fork server, afresh (CUDA), or, one for each
    worker, by torch's launcher.
    """

    start: ClassVar[Start] = "fork"

    @abstractmethod
    def launch(self, main: Callable[[Worker], Result], workers: int, job: Job[Any]) -> list[Result]:
        """Run ``main`` once per worker, each with its own ``Worker``; raise if any of them failed."""

    def hosted(self) -> AbstractContextManager[bool]:
        """Whether this process runs the cell; one that a launcher started beside it serves that one first, then not."""
        return nullcontext(True)


@dataclass(frozen=True)
class Censored:
    """A metric that was not reached: all that is known is that it is at least ``bound``."""

    bound: float


class Metric(Component, ABC):
    """A reduction of a trace to one number, with a unit and a direction.

    ``timed`` metrics depend on the clock and are not measured while cells share the machine;
    ``exact`` ones are the same each time for a given seed, so that one pair is enough for a claim.
    """

    unit: ClassVar[str]
    better: ClassVar[Literal["lower", "higher"]]
    timed: ClassVar[bool] = False
    exact: ClassVar[bool] = False

    @abstractmethod
    def measure(self, trace: Trace) -> float | Censored | None:
        """The number; ``None`` where the trace does not hold it: not measured, never zero."""


@dataclass(frozen=True)
class Estimator:
    """For claims that no formula expresses: reduces the units of a claim to one number.

    A unit maps names such as ``a.risk`` (metrics) and ``a.workload.degree`` (parameters) to numbers.
    """

    name: str
    summary: str
    estimate: Callable[[list[Mapping[str, float]]], float] = field(repr=False)


KINDS: dict[str, type[Component]] = {
    "workload": Workload,
    "parallelizer": Parallelizer,
    "device": Device,
    "metric": Metric,
}


def check_component(cls: type[Component], kind: str) -> None:
    """Refuse a class that a hook should not have returned."""
    if not (isinstance(cls, type) and issubclass(cls, KINDS[kind])):
        raise HarnessError(f"{cls!r} is no {KINDS[kind].__name__} subclass")
    if not isinstance(getattr(cls, "name", None), str):
        raise HarnessError(f"{cls.__qualname__} has no name: add name: ClassVar[str] = ...")
