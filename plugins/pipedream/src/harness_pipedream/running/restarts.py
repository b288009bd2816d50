"""Launching a pipeline, and launching it again from its last checkpoint when a worker was lost.

A cell's worker leaves one shard of trace, so that the shards of a launch that failed are put aside
and the next one's are put behind them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import devices
from harness_pipedream.profiling.published import PublishedProfile
from harness_pipedream.running.runtime import train

if TYPE_CHECKING:
    from harness import Job
    from harness_pipedream.running.preparing import Prepared


def launch(prepared: Prepared, job: Job[Any], *, restarts: int) -> None:
    """Train; after a loss, go on from the last complete checkpoint, so many times. A profile has no numerics."""
    job = replace(job, numerics=job.numerics and not isinstance(job.workload, PublishedProfile))
    try:
        for attempt in range(restarts):
            try:
                return _launch(prepared, job)
            except devices.WorkerFailed as error:
                job.trace.fact("restart", {"attempt": attempt + 1, "because": str(error)})
                put_aside(job.trace.folder, attempt)
        return _launch(prepared, job)
    finally:
        put_together(job.trace.folder)


def _launch(prepared: Prepared, job: Job[Any]) -> None:
    job.launch(partial(train, prepared.setup), prepared.setup.schedule.workers)


def put_aside(folder: Path | None, attempt: int) -> None:
    """Move the shards of a launch that failed out of the next one's way."""
    for shard in folder.glob("shard-[0-9]*.arrow") if folder else ():
        shard.rename(shard.with_name(f"{shard.stem}.before-{attempt:03}"))


def put_together(folder: Path | None) -> None:
    """Put what was put aside before the shards of the last launch, as if one worker had written all of it."""
    pieces: dict[str, list[Path]] = {}
    for aside in sorted(folder.glob("shard-*.before-*")) if folder else ():
        pieces.setdefault(aside.stem, []).append(aside)
    for name, before in pieces.items():
        shard = before[0].with_name(f"{name}.arrow")
        join([*before, shard], shard)
        for aside in before:
            aside.unlink()


def join(pieces: Sequence[Path], into: Path) -> None:
    """Write streams of Arrow batches as one; each is read up to where a crash cut it off."""
    import pyarrow as pa

    batches = [batch for piece in pieces if piece.exists() for batch in _batches(piece)]
    if not batches:
        return
    joined = into.with_suffix(".joined")
    with pa.ipc.new_stream(joined, batches[0].schema) as stream:
        for batch in batches:
            stream.write_batch(batch)
    joined.replace(into)


def _batches(path: Path) -> list[Any]:
    """The whole batches of a shard, names spelt out: each shard has its own numbers for them."""
    import pyarrow as pa

    found = []
    with path.open("rb") as file, contextlib.suppress(pa.ArrowException, OSError):
        for batch in pa.ipc.open_stream(file):
            found.append(batch.set_column(1, "name", batch.column("name").cast(pa.string())))
    return found
