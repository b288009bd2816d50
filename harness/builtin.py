"""The core's own plugin: what comes with it registers through the hooks that a stranger uses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.components import Device, Metric, Parallelizer, Workload
from harness.data import Dataset
from harness.datasets import DATASETS
from harness.devices.cpu import Cpu
from harness.devices.cuda import Cuda
from harness.devices.processes import Processes
from harness.hookspecs import hookimpl
from harness.metrics.quality import FinalAccuracy, FinalLoss
from harness.metrics.resources import BytesSent, PeakMemory
from harness.metrics.time import DeviceTime, StepsToTarget, Throughput, TimeToTarget, TotalTime, WallTime
from harness.parallelizers.ddp import Ddp
from harness.parallelizers.serial import SerialRun
from harness.workloads.census import CensusMlp
from harness.workloads.fashion import FashionCnn, FashionResnet, FashionVgg
from harness.workloads.text import TextLstm
from harness.workloads.verses import VersesBag


@hookimpl
def harness_workloads() -> Iterable[type[Workload]]:
    """Workloads that need no plugin."""
    return [CensusMlp, FashionCnn, FashionResnet, FashionVgg, TextLstm, VersesBag]


@hookimpl
def harness_parallelizers() -> Iterable[type[Parallelizer[Any]]]:
    """The reference that divides nothing, and the one that divides minibatches."""
    return [Ddp, SerialRun]


@hookimpl
def harness_devices() -> Iterable[type[Device]]:
    """One machine's processors and accelerators."""
    return [Cpu, Cuda, Processes]


@hookimpl
def harness_metrics() -> Iterable[type[Metric]]:
    """What any training run leaves in its trace."""
    return [
        BytesSent,
        DeviceTime,
        FinalAccuracy,
        FinalLoss,
        PeakMemory,
        StepsToTarget,
        Throughput,
        TimeToTarget,
        TotalTime,
        WallTime,
    ]


@hookimpl
def harness_datasets() -> Iterable[Dataset]:
    """Data sets that several plugins use."""
    return DATASETS
