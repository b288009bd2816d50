"""How much memory a stretch of work takes: its level at the start and its peak, as facts in the trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.trace import TraceWriter

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


@contextmanager
def measured_memory(trace: TraceWriter) -> Iterator[None]:
    """Record this process's ``memory_level`` and ``memory_peak`` in resident bytes, where Linux tells."""
    measurable = _reset_peak()
    if measurable:
        trace.value("memory_level", _resident("VmRSS"))
    try:
        yield
    finally:
        if measurable:
            trace.value("memory_peak", _resident("VmHWM"))


@contextmanager
def measured_device_memory(trace: TraceWriter, torch_device: str) -> Iterator[None]:
    """Record ``device_memory_level`` and ``device_memory_peak``, allocated bytes on an accelerator; none on ``cpu``."""
    if not torch_device.startswith("cuda"):
        yield
        return
    from torch import cuda

    cuda.reset_peak_memory_stats(torch_device)
    trace.value("device_memory_level", cuda.memory_allocated(torch_device))
    try:
        yield
    finally:
        trace.value("device_memory_peak", cuda.max_memory_allocated(torch_device))


def _reset_peak() -> bool:
    """Start the peak anew; without that it would tell of the preparation."""
    try:
        CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _resident(field: str) -> int:
    (line,) = (line for line in STATUS.read_text(encoding="ascii").splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) * 1024
