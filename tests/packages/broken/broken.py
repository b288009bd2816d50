"""Components that are each broken in one way, for the conformance kit to catch; and one that is sound."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PositiveInt

from harness import Availability, Device, Job, Metric, Parallelizer, Trace, Worker, Workload, devices, hookimpl


class Dice(Workload):
    """Throws dice."""

    name: ClassVar[str] = "dice"

    def prepare(self) -> None:
        pass


class Sound(Parallelizer[Dice]):
    """Throws dice until the budget is spent."""

    name: ClassVar[str] = "sound"

    def run(self, job: Job[Dice]) -> None:
        rng = job.rng(0)
        for step in range(1, 1000):
            with job.trace.span("throw", step=step):
                self.record(job, step, float(rng.integers(1_000_000)))
            if job.spent(steps=step):
                break

    def record(self, job: Job[Dice], step: int, thrown: float) -> None:
        job.trace.value("thrown", thrown, step=step)


class Undocumented(Sound):
    """Has a parameter that nothing explains."""

    name: ClassVar[str] = "undocumented"
    mystery: PositiveInt = Field(3)


class Thawed(Sound):
    """Can be changed after it was made."""

    model_config = ConfigDict(frozen=False)
    name: ClassVar[str] = "thawed"
    sides: PositiveInt = Field(6, description="sides of a die")


class Wordless(Sound):
    name: ClassVar[str] = "wordless"


class Rambling(Sound):
    """Has a summary that goes on
    in the next line."""

    name: ClassVar[str] = "rambling"


class Shouting(Sound):
    """Has a name that is no label."""

    name: ClassVar[str] = "Shouting/Loud"


class Lax(Sound):
    """Takes any parameter."""

    model_config = ConfigDict(extra="allow")
    name: ClassVar[str] = "lax"


def _crash(value: object) -> object:
    if not isinstance(value, int):
        raise KeyError(value)
    return value


class Crashing(Sound):
    """Has a validator that crashes."""

    name: ClassVar[str] = "crashing"
    sides: Annotated[int, BeforeValidator(_crash)] = Field(6, description="sides of a die")


class Lossy(Sound):
    """Has a parameter that JSON does not keep."""

    name: ClassVar[str] = "lossy"
    bonus: int = Field(3, description="added to each throw", exclude=True)
    secret: int = Field(default_factory=time.monotonic_ns, description="drawn from the clock", exclude=True)


class Helpless(Sound):
    """Cannot run here, and does not say what would help."""

    name: ClassVar[str] = "helpless"

    def availability(self) -> Availability:
        return Availability(False, "something is missing")


class Backwards(Sound):
    """Leaves a span that ends before it starts."""

    name: ClassVar[str] = "backwards"

    def record(self, job: Job[Dice], step: int, thrown: float) -> None:
        super().record(job, step, thrown)
        job.trace.add_span("back", 2.0, 1.0, step=step)


class Unclosed(Sound):
    """Leaves a span that never ends."""

    name: ClassVar[str] = "unclosed"

    def record(self, job: Job[Dice], step: int, thrown: float) -> None:
        super().record(job, step, thrown)
        job.trace.add_span("open", job.trace.clock(), float("inf"), step=step)


class Negative(Sound):
    """Sends less than nothing."""

    name: ClassVar[str] = "negative"

    def record(self, job: Job[Dice], step: int, thrown: float) -> None:
        super().record(job, step, thrown)
        job.trace.count("bytes_sent", -8, peer=1)


class NotANumber(Sound):
    """Records what is no number."""

    name: ClassVar[str] = "not-a-number"

    def record(self, job: Job[Dice], step: int, thrown: float) -> None:
        job.trace.value("thrown", float("nan"), step=step)


class Rewinding(Sound):
    """Records its steps in the wrong order."""

    name: ClassVar[str] = "rewinding"

    def record(self, job: Job[Dice], step: int, thrown: float) -> None:
        job.trace.value("thrown", thrown, step=3 - step)


class Unseeded(Sound):
    """Draws from the clock and not from its seed."""

    name: ClassVar[str] = "unseeded"

    def record(self, job: Job[Dice], step: int, thrown: float) -> None:
        job.trace.value("thrown", time.monotonic_ns() % 1_000_000, step=step)


class Fixed(Sound):
    """Throws the same whatever the seed."""

    name: ClassVar[str] = "fixed"

    def record(self, job: Job[Dice], step: int, thrown: float) -> None:
        job.trace.value("thrown", step, step=step)


class Admitted(Fixed):
    """Throws the same whatever the seed, and says so."""

    name: ClassVar[str] = "admitted"
    expected_failures: ClassVar[dict[str, str]] = {"other-seed": "these dice are loaded"}


class Endless(Sound):
    """Does not ask for its budget."""

    name: ClassVar[str] = "endless"

    def run(self, job: Job[Dice]) -> None:
        for step in range(50):
            self.record(job, step, job.rng(step).random())


class Tireless(Sound):
    """Asks for its budget of steps, and for no other."""

    name: ClassVar[str] = "tireless"

    def run(self, job: Job[Dice]) -> None:
        rng, step = job.rng(0), 0
        while job.budget.steps is None or step < job.budget.steps:
            step += 1
            time.sleep(0.001)
            self.record(job, step, rng.random())


class Growing(Workload):
    """Grows each time that it is prepared."""

    name: ClassVar[str] = "growing"
    faces: list[int] = Field([1, 2], description="faces of the die")

    def prepare(self) -> None:
        self.faces.append(len(self.faces) + 1)


class Once(Workload):
    """Can be prepared only once."""

    name: ClassVar[str] = "once"
    _prepared: bool = False

    def prepare(self) -> None:
        if self._prepared:
            raise RuntimeError("the dice are on the table already")
        self._prepared = True


class Laden(Workload):
    """Travels with all that it prepared."""

    name: ClassVar[str] = "laden"

    def prepare(self) -> None:
        self.__dict__["thrown"] = list(range(1000))

    def __getstate__(self) -> dict[Any, Any]:
        return {
            "__dict__": self.__dict__,
            "__pydantic_fields_set__": set(),
            "__pydantic_extra__": None,
            "__pydantic_private__": None,
        }


class Needy(Workload):
    """Has to be told how many dice there are."""

    name: ClassVar[str] = "needy"
    dice: PositiveInt = Field(description="number of dice")

    def prepare(self) -> None:
        pass


class Zero(Metric):
    """Takes nothing for zero."""

    name: ClassVar[str] = "zero"
    unit: ClassVar[str] = "throws"
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    def measure(self, trace: Trace) -> float | None:
        return float(len(trace.spans("throw")))


class Unmeasured(Metric):
    """Has no unit."""

    name: ClassVar[str] = "unmeasured"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    def measure(self, trace: Trace) -> float | None:
        return trace.last("thrown")


class Infinite(Metric):
    """Divides by nothing."""

    name: ClassVar[str] = "infinite"
    unit: ClassVar[str] = "throws"
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    def measure(self, trace: Trace) -> float | None:
        return float("inf") if len(trace.events) else None


class Untimed(Metric):
    """Reads the clock and does not say so."""

    name: ClassVar[str] = "untimed"
    unit: ClassVar[str] = "seconds"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    def measure(self, trace: Trace) -> float | None:
        return trace.total_seconds


class Inexact(Metric):
    """Takes what the clock says for exact."""

    name: ClassVar[str] = "inexact"
    unit: ClassVar[str] = "seconds"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    timed: ClassVar[bool] = True
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        return trace.total_seconds


class Shuffled(devices.Cpu):
    """Returns results in another order than that of the ranks."""

    name: ClassVar[str] = "shuffled"

    def launch(self, main: Callable[[Worker], Any], workers: int, job: Job[Any]) -> list[Any]:
        return super().launch(main, workers, job)[::-1]


class Silent(devices.Cpu):
    """Keeps a worker's failure to itself."""

    name: ClassVar[str] = "silent"

    def launch(self, main: Callable[[Worker], Any], workers: int, job: Job[Any]) -> list[Any]:
        try:
            return super().launch(main, workers, job)
        except Exception:
            return [None] * workers


class Alone(devices.Cpu):
    """Runs one worker, however many were asked for."""

    name: ClassVar[str] = "alone"

    def launch(self, main: Callable[[Worker], Any], workers: int, job: Job[Any]) -> list[Any]:
        return super().launch(main, 1, job) * workers


@hookimpl
def harness_workloads() -> list[type[Workload]]:
    return [Dice, Growing, Once, Laden, Needy]


def _subclasses(cls: type[Any]) -> list[type[Any]]:
    return [cls, *(found for child in cls.__subclasses__() for found in _subclasses(child))]


@hookimpl
def harness_parallelizers() -> list[type[Parallelizer[Any]]]:
    return _subclasses(Sound)


@hookimpl
def harness_metrics() -> list[type[Metric]]:
    return [Zero, Unmeasured, Infinite, Untimed, Inexact]


@hookimpl
def harness_devices() -> list[type[Device]]:
    return [Shuffled, Silent, Alone]
