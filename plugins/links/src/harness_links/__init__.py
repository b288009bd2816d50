"""Devices whose links are chosen, and those of other machines: proof that a device is a plugin like any other."""

from __future__ import annotations

from collections.abc import Iterable

from harness import Device, Metric, hookimpl
from harness_links.cluster import Cluster
from harness_links.metrics import LinkBytes
from harness_links.simulated import Simulated
from harness_links.topology import Level, LinkedDevice, Route, Topology
from harness_links.torchrun import Torchrun

__all__ = ["Cluster", "Level", "LinkedDevice", "Route", "Simulated", "Topology", "Torchrun"]


@hookimpl
def harness_devices() -> Iterable[type[Device]]:
    """A machine with a virtual clock, namespaces with limited links, and the ranks of torch's launcher."""
    return (Simulated, Cluster, Torchrun)


@hookimpl
def harness_metrics() -> Iterable[type[Metric]]:
    """What the links carried."""
    return (LinkBytes,)
