"""A plugin-based benchmark harness for systems that divide machine-learning work.

What is exported here is the whole API of a plugin's author. Names are imported on first use, so
that ``import harness`` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness import datasets, devices, units
    from harness.components import (
        Availability,
        Budget,
        Censored,
        Component,
        Device,
        Estimator,
        Job,
        Metric,
        Parallelizer,
        Serial,
        Workload,
    )
    from harness.data import Dataset, DebianPackage, Https, Member, PythonPackage, cached
    from harness.errors import HarnessError, NotAvailable, UnknownName
    from harness.hookspecs import hookimpl
    from harness.trace import TraceWriter
    from harness.tracefile import Trace
    from harness.worker import Communicator, PeerLost, Worker
    from harness.workloads.training import TrainingWorkload

_HOMES = {
    "harness.components": (
        "Availability Budget Censored Component Device Estimator Job Metric Parallelizer Serial Workload"
    ),
    "harness.data": "Dataset DebianPackage Https Member PythonPackage cached",
    "harness.errors": "HarnessError NotAvailable UnknownName",
    "harness.hookspecs": "hookimpl",
    "harness.trace": "TraceWriter",
    "harness.tracefile": "Trace",
    "harness.worker": "Communicator PeerLost Worker",
    "harness.workloads.training": "TrainingWorkload",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Availability",
    "Budget",
    "Censored",
    "Communicator",
    "Component",
    "Dataset",
    "DebianPackage",
    "Device",
    "Estimator",
    "HarnessError",
    "Https",
    "Job",
    "Member",
    "Metric",
    "NotAvailable",
    "Parallelizer",
    "PeerLost",
    "PythonPackage",
    "Serial",
    "Trace",
    "TraceWriter",
    "TrainingWorkload",
    "UnknownName",
    "Worker",
    "Workload",
    "cached",
    "datasets",
    "devices",
    "hookimpl",
    "units",
]


def __getattr__(name: str) -> Any:
    if name in ("datasets", "devices", "units"):
        return import_module(f"harness.{name}")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
