"""The device ``cluster``: worker processes on one machine, linked as if by a network of a chosen speed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import Field, PositiveInt, model_validator

from harness import Availability, Job, Worker
from harness.devices import Place, join_by_sockets, launch_processes
from harness_links.counters import counted
from harness_links.fabric import INTERFACE, Site, fabric
from harness_links.namespaces import enter
from harness_links.shaping import refuse_rate
from harness_links.topology import Level, LinkedDevice

Result = TypeVar("Result")

NET_ADMIN, SYS_ADMIN = 12, 21
ELSEWHERE = "or use the device processes (links at full speed) or simulated (a virtual clock)"


class Cluster(LinkedDevice):
    """Processes in network namespaces of their own, linked by interfaces limited to a chosen rate."""

    name: ClassVar[str] = "cluster"

    levels: tuple[Level, ...] = Field(
        (Level(workers=16, bandwidth=12.5e6),),
        min_length=1,
        description="tables with workers and bandwidth ('100 Mbit/s', each way), the lowest first",
    )
    threads: PositiveInt = Field(1, description="compute threads a worker")

    @model_validator(mode="after")
    def _can_be_built(self) -> Cluster:
        for level in self.links().levels:
            refuse_rate(level.bandwidth)
            if level.latency:
                raise ValueError("a cluster adds no latency to its links' own: leave it out, or use simulated")
        return self

    def availability(self) -> Availability:
        """Whether namespaces and limited links can be made here."""
        missing = [tool for tool in ("ip", "tc") if shutil.which(tool) is None]
        if missing:
            return Availability(
                False, f"cluster needs {' and '.join(missing)}", f"apt-get install iproute2, {ELSEWHERE}"
            )
        if not _may_make_links():
            return Availability(
                False, "cluster needs root, or CAP_NET_ADMIN and CAP_SYS_ADMIN, to make links", f"sudo, {ELSEWHERE}"
            )
        return Availability(True)

    def launch(self, main: Callable[[Worker], Result], workers: int, job: Job[Any]) -> list[Result]:
        """Run ``main`` in worker processes; it and what it returns must be picklable."""
        topology = self.links()
        topology.check(workers)
        with fabric(topology, workers) as sites:
            return launch_processes(main, workers, job, Joins(sites), threads=self.threads)


@dataclass(frozen=True)
class Joins:
    """Enter a rank's namespace, and link it to the others from there."""

    sites: Sequence[Site]

    @contextmanager
    def __call__(self, place: Place, job: Job[Any]) -> Iterator[Worker]:
        """Join, and count what leaves through the interface until all links are closed."""
        site = self.sites[place.rank]
        enter(site.namespace)
        with counted(INTERFACE, job.trace), join_by_sockets(place, job, host=site.host) as worker:
            yield worker


def _may_make_links() -> bool:
    """Whether this process has the capabilities, root or not."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        effective = int(next(line for line in status.splitlines() if line.startswith("CapEff:")).split()[1], 16)
    except (OSError, StopIteration):
        return False
    return all(effective >> capability & 1 for capability in (NET_ADMIN, SYS_ADMIN))
