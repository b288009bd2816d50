"""What the links carried."""

from __future__ import annotations

from typing import ClassVar, Literal

from harness import Metric, Trace


class LinkBytes(Metric):
    """Bytes that left through the workers' interfaces, headers, acknowledgements and evaluation included."""

    name: ClassVar[str] = "link_bytes"
    unit: ClassVar[str] = "bytes"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    def measure(self, trace: Trace) -> float | None:
        """The interfaces' own counters, summed; not measured where no device read one."""
        return trace.total("link_bytes")
