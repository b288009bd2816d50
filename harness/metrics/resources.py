"""Metrics of what the work used: links and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from harness.components import Metric

if TYPE_CHECKING:
    from harness.tracefile import Trace


class BytesSent(Metric):
    """Payload bytes that workers sent to each other for their work: preparation and evaluation are left out."""

    name: ClassVar[str] = "bytes_sent"
    unit: ClassVar[str] = "bytes"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    exact: ClassVar[bool] = True

    def measure(self, trace: Trace) -> float | None:
        """Add the counter ``bytes_sent``; not measured, never zero, where nothing counted."""
        counted = trace.counts("bytes_sent")
        return float(trace.at_work(counted).value.sum()) if len(counted) else None


class PeakMemory(Metric):
    """The most memory that any one worker used above its level at the end of preparation."""

    name: ClassVar[str] = "peak_memory"
    unit: ClassVar[str] = "bytes"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    def measure(self, trace: Trace) -> float | None:
        """Compare ``memory_level`` and ``memory_peak``, on the accelerator where there is one."""
        kind = "device_memory" if len(trace.values("device_memory_peak")) else "memory"
        peaks = {}
        for worker in trace.workers:
            levels = trace.values(f"{kind}_level", worker=worker).value
            tops = trace.values(f"{kind}_peak", worker=worker).value
            if len(levels) and len(tops):
                peaks[worker] = float(tops.max() - levels[0])
        # The cell's own process only waits where it launched others.
        launched = [peak for worker, peak in peaks.items() if worker >= 0]
        return max(launched or peaks.values(), default=None)
