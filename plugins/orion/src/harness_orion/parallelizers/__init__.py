"""Ways to run a loop: as Orion plans it, compiled but serial, data-parallel, and by a rotation written by hand."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from harness import Device, Job, Parallelizer, Workload, devices
from harness_orion.parallelizers.planning import OrionPlan
from harness_orion.workloads.loops import LoopWorkload


class LoopParallelizer(Parallelizer[LoopWorkload]):
    """Runs a workload's loop again and again."""

    imports: ClassVar[tuple[str, ...]] = (
        "harness_orion.running.program",
        "harness_orion.parallelizers.passes",
        "numba",
    )


class Orion(LoopParallelizer):
    """Dependence-aware parallelization (Wei et al., EuroSys 2019): threads on ``cpu``, ranks on other devices."""

    name: ClassVar[str] = "orion"

    workers: PositiveInt = Field(2, description="threads of one process, or ranks")
    blocks: PositiveInt = Field(1, description="on threads: parts a worker has along either dimension of a 2d plan")
    balanced: bool = Field(True, description="divide by the number of entries, not by width")
    tiled: bool = Field(True, description="go through blocks in tiles that fit the cache")
    prefetch: Literal["off", "on", "cached"] = Field(
        "cached", description="on ranks: bulk fetches of served arrays, their keys kept from pass to pass if cached"
    )
    in_turn: bool = Field(
        False, description="after each pass one of the serial program, and one on every core at once, for comparison"
    )

    def refuses(self, workload: Workload, device: Device) -> str:
        """Refuse virtual clocks."""
        virtual = f"what its loops cost is not known beforehand: use a device with a real clock, not {device.name}"
        return virtual if hasattr(device, "numerics") else ""

    def run(self, job: Job[LoopWorkload]) -> None:
        """Compile for the device, and run passes."""
        from harness_orion.parallelizers.orion import run_threads
        from harness_orion.parallelizers.ranks import run_ranks

        if isinstance(job.device, devices.Cpu):
            run_threads(
                job,
                workers=self.workers,
                blocks=self.blocks,
                balanced=self.balanced,
                tiled=self.tiled,
                in_turn=self.in_turn,
            )
        else:
            run_ranks(self, job)


class CompiledSerial(LoopParallelizer):
    """The loop in its own order on one thread, compiled: the reference for figures of speed."""

    name: ClassVar[str] = "compiled-serial"

    def run(self, job: Job[LoopWorkload]) -> None:
        """Compile, and run passes."""
        from harness_orion.parallelizers.orion import run_threads

        run_threads(job, workers=1, balanced=True, tiled=False)


class DataParallel(LoopParallelizer):
    """Entries divided over workers that ignore dependences: a parameter server with bounded staleness, simulated.

    Each clock every worker runs a share of its entries on the arrays as it sees them: all changes of clocks
    that are more than ``staleness`` ago, and its own. It says what violated dependences cost, not what time it takes.
    """

    name: ClassVar[str] = "data-parallel"

    workers: PositiveInt = Field(4, description="simulated workers")
    clocks: PositiveInt = Field(1, description="exchanges of changes in a pass")
    rate: PositiveFloat = Field(1.0, description="factor on the workload's step size")
    staleness: int = Field(0, ge=0, description="clocks that others' changes may be late beyond the last one")
    combine: Literal["sum", "mean"] = Field("sum", description="how the changes of workers are combined")

    def refuses(self, workload: Workload, device: Device) -> str:
        """Refuse loops whose order matters: there is nothing to divide."""
        return f"{workload.name} is ordered" if getattr(workload, "ordered", False) else ""

    def run(self, job: Job[LoopWorkload]) -> None:
        """Simulate the workers one after the other."""
        from harness_orion.parallelizers.stale import run_stale

        run_stale(self, job)


class Manual(LoopParallelizer):
    """A block rotation over threads written by hand with Numba for MF and LDA: in place of STRADS."""

    name: ClassVar[str] = "manual"

    workers: PositiveInt = Field(2, description="threads")

    def refuses(self, workload: Workload, device: Device) -> str:
        """Refuse what nobody wrote by hand."""
        known = ("mf-sgd", "mf-adagrad", "lda")
        return "" if workload.name in known else f"there is a version by hand of {', '.join(known)} alone"

    def run(self, job: Job[LoopWorkload]) -> None:
        """Compile the kernel, and rotate blocks."""
        from harness_orion.parallelizers.manual import run_manual

        run_manual(self, job)


PARALLELIZERS: tuple[type[Parallelizer[Any]], ...] = (CompiledSerial, DataParallel, Manual, Orion, OrionPlan)
