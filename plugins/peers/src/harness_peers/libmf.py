"""LIBMF (Chin et al., ACM TIST 2015), compiled from its own source for this machine, beside Orion's factorizations."""

from __future__ import annotations

import shutil
from typing import ClassVar

from pydantic import Field, PositiveInt

from harness import Availability, Dataset, Device, Job, Member, Parallelizer, PythonPackage, Workload, devices
from harness_orion import LoopWorkload

SOURCE = Dataset(
    name="libmf-source",
    summary="LIBMF's C++ source, as in its Python binding's distribution",
    licence="BSD 3-clause (LIBMF), MIT (the binding)",
    homepage="https://www.csie.ntu.edu.tw/~cjlin/libmf/",
    source=PythonPackage("libmf", "0.9.2"),
    members=(
        Member("*/src_cpp/mf.cpp", "848282ebb79a33df3e7f1b5c77474368658b120836e400ffbffaed0f6ce31881", 110616),
        Member("*/src_cpp/mf.h", "2ad6a0f2691cc792e5148ebcb278717fec746a3013215c042c9cfabb4ec069fe", 2547),
    ),
)
DATASETS = (SOURCE,)


class Libmf(Parallelizer[LoopWorkload]):
    """LIBMF's block scheduler and two-rate AdaGrad, with AVX where there is any, at a workload's rank and step size.

    Its rule is that of ``mf-adagrad``; ``mf-sgd`` gives it the same ratings, for its speed.
    Its initial factors and the order of its ratings are its own, and the same whatever the seed.
    """

    name: ClassVar[str] = "libmf"
    imports: ClassVar[tuple[str, ...]] = ("harness_peers.libmf_running",)

    workers: PositiveInt = Field(2, description="threads")
    bins: PositiveInt = Field(20, description="blocks a side; more than twice the threads")

    def availability(self) -> Availability:
        """Say whether its source can be compiled here."""
        if shutil.which("g++") is None:
            return Availability(False, f"{self.name} needs a C++ compiler", "apt-get install g++")
        return Availability(True)

    def refuses(self, workload: Workload, device: Device) -> str:
        """Refuse what is no factorization, and other devices than threads of one process."""
        if not isinstance(device, devices.Cpu):
            return f"LIBMF's workers are threads: use the device cpu, not {device.name}"
        known = ("mf-adagrad", "mf-sgd")
        return "" if workload.name in known else f"LIBMF factorizes ratings: use one of {', '.join(known)}"

    def prepare(self, job: Job[LoopWorkload]) -> None:
        """Compile it, unless it has been."""
        from harness_peers.libmf_building import built

        built()

    def run(self, job: Job[LoopWorkload]) -> None:
        """Train, telling of each pass."""
        from harness_peers.libmf_running import train

        train(self, job)


PARALLELIZERS = (Libmf,)
