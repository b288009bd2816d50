"""A tree of switches and limited links, made of bridges and veth pairs, and a namespace for each worker.

The switches, one for each component of a level, are bridges in a namespace of their own. Each link is
a veth pair whose two ends are both limited, so that it has its rate each way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from harness_links.namespaces import Namespace
from harness_links.shaping import FRAME_BYTES, limit
from harness_links.topology import Topology

INTERFACE = "eth0"
# Neither link-local addresses nor what they announce: the interface carries the workers' bytes alone.
UP = f"mtu {FRAME_BYTES} addrgenmode none up"


@dataclass(frozen=True)
class Site:
    """Where a worker lives: its namespace, and its address there."""

    namespace: str
    host: str


@contextmanager
def fabric(topology: Topology, workers: int) -> Iterator[list[Site]]:
    """Build the links of so many workers; they are gone with the last process that uses them."""
    with ExitStack() as stack:
        switches = stack.enter_context(closing(Namespace()))
        sites = [stack.enter_context(closing(Namespace())) for _ in range(workers)]
        links = list(_links(topology, workers))
        switches.run("ip", _wiring(links, sites))
        switches.run("tc", [limit(end, link.bytes_per_second) for link in links for end in link.ends])
        for rank, site in enumerate(sites):
            site.run(
                "ip", ["link set lo up", f"addr add {_host(rank)}/16 dev {INTERFACE}", f"link set {INTERFACE} {UP}"]
            )
            site.run("tc", [limit(INTERFACE, topology.levels[0].bandwidth)])
        yield [Site(site.path, _host(rank)) for rank, site in enumerate(sites)]


@dataclass(frozen=True)
class _Link:
    """The link of a component up to its switch; at level 0 the component is a worker."""

    level: int
    component: int
    switch: str
    bytes_per_second: float

    @property
    def below(self) -> str:
        """The switch at its lower end."""
        return _switch(self.level, self.component)

    @property
    def port(self) -> str:
        """The end at the upper switch."""
        return f"down{self.level}.{self.component}"

    @property
    def uplink(self) -> str:
        """The end at the lower switch."""
        return f"up{self.level}.{self.component}"

    @property
    def ends(self) -> tuple[str, ...]:
        """The ends that lie among the switches; a worker's own does not."""
        return (self.port, self.uplink) if self.level else (self.port,)


def _links(topology: Topology, workers: int) -> Iterator[_Link]:
    for number, level in enumerate(topology.levels):
        for component in range(topology.component(workers - 1, number) + 1):
            above = topology.component(component * topology.sizes[number], number + 1)
            yield _Link(number, component, _switch(number + 1, above), level.bandwidth)


def _wiring(links: list[_Link], sites: list[Namespace]) -> list[str]:
    lines = []
    for switch in dict.fromkeys(link.switch for link in links):
        lines += [f"link add {switch} type bridge", f"link set {switch} {UP}"]
    for link in links:
        if link.level:
            lines.append(f"link add {link.port} type veth peer name {link.uplink}")
            lines.append(f"link set {link.uplink} master {link.below} {UP}")
        else:
            peer = f"name {INTERFACE} netns {sites[link.component].path}"
            lines.append(f"link add {link.port} type veth peer {peer}")
        lines.append(f"link set {link.port} master {link.switch} {UP}")
    return lines


def _switch(level: int, component: int) -> str:
    return f"switch{level}.{component}"


def _host(rank: int) -> str:
    return f"10.0.{(rank + 1) >> 8}.{(rank + 1) & 255}"
