"""What the tests of ``simulated`` share: a job that does nothing, links, and what a launch left."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import numpy as np
import pyarrow.ipc

from harness import Budget, Job, TraceWriter, Workload
from harness_links import Simulated

BANDWIDTH = 1e6
LATENCY = 1e-3


class Nothing(Workload):
    """A workload with nothing to do."""

    name: ClassVar[str] = "nothing"

    def prepare(self):
        """Nothing to prepare."""


def flat(workers, *, bandwidth=BANDWIDTH, latency=LATENCY, **fields):
    return Simulated(levels=[{"workers": workers, "bandwidth": bandwidth, "latency": latency}], **fields)


def launch(device, main, workers, folder=None, **fields):
    return Job(Nothing(), device, Budget(), 7, TraceWriter(folder), folder or Path(), **fields).launch(main, workers)


def traced(device, main, workers):
    """What each returned, and each one's events: (name, kind, peer, step, start, end, value)."""
    with TemporaryDirectory() as name:
        returned = launch(device, main, workers, Path(name))
        return returned, [events(Path(name), rank) for rank in range(workers)]


def events(folder, rank):
    with pyarrow.ipc.open_stream(folder / f"shard-{rank}.arrow") as stream:
        rows = stream.read_all().to_pylist()
    return [tuple(r[c] for c in ("name", "kind", "peer", "step", "start", "end", "value")) for r in rows]


def spans(events, name):
    return [(start, end) for event, kind, _, _, start, end, _ in events if event == name and kind == 0]


def bytes_sent(events):
    return sum(value for name, *_, value in events if name == "bytes_sent")


def hollow(size):
    """So many bytes that take no memory."""
    return np.broadcast_to(np.uint8(0), (size,))
