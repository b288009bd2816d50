"""A plugin whose registration imports what only a run needs."""

from __future__ import annotations

from typing import ClassVar, Literal

import pyarrow

from harness import Metric, Trace, hookimpl


class Heavy(Metric):
    """The version of a library."""

    name: ClassVar[str] = "heavy"
    unit: ClassVar[str] = "version"
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    def measure(self, trace: Trace) -> float | None:
        return float(pyarrow.__version__.split(".")[0]) if len(trace.events) else None


@hookimpl
def harness_metrics() -> list[type[Metric]]:
    return [Heavy]
