"""Running one cell in this process: prepare, run, measure, and write down what came of it."""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import math
import multiprocessing
import os
import platform
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.components import Censored, Job, Metric, Parallelizer
from harness.devices.memory import measured_memory
from harness.errors import HarnessError, NotAvailable
from harness.records import CellResult, CellSpec, Outcome
from harness.registry import NotInstalled, Registry, load
from harness.store import write_atomically
from harness.trace import TraceWriter
from harness.tracefile import Trace, merged


def run_file(path: Path) -> CellResult | None:
    """Run the cell that a file specifies; its folder gets the trace and ``result.json``.

    ``None`` where this process served another, which runs the cell.
    """
    try:
        spec = CellSpec.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise HarnessError(f"no cell specification: {str(error).splitlines()[0]}", where=str(path)) from None
    registry = load()
    with registry.build("device", spec.device.name, spec.device.parameters).hosted() as here:
        if not here:
            return None
        result = run(spec, path.parent, registry)
        write_atomically(path.parent / "result.json", result.model_dump_json(indent=1), durable=False)
    return result


def child(path: str) -> None:
    """Run a cell in a process made for it."""
    settle(Path(path).with_name("output.txt"))
    run_file(Path(path))


def settle(output: Path) -> None:
    """Make this process one of its own: own group, ends with the engine, output into a file."""
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _end_with_engine()
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    faulthandler.enable()


def _end_with_engine() -> None:
    """Have this process and its workers killed when the engine ends; the fork server, its parent, would live on."""
    engine = multiprocessing.parent_process()
    if engine is None:
        return
    if hasattr(fcntl, "F_SETSIG"):
        # Linux sends the signal itself: no thread of a process whose native code keeps the interpreter's lock could.
        pipe = engine.sentinel
        fcntl.fcntl(pipe, fcntl.F_SETOWN, -os.getpgid(0))
        fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    threading.Thread(target=_outlived, args=(engine.sentinel,), daemon=True).start()


def _outlived(engine: int) -> None:
    wait([engine])
    os.killpg(0, signal.SIGKILL)


def run(spec: CellSpec, folder: Path, registry: Registry) -> CellResult:
    """Run a cell; whatever goes wrong in it becomes its outcome."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    trace = TraceWriter(folder)
    reason = ""
    failed: Outcome = "failed"
    try:
        job, parallelizer = _assemble(spec, folder, registry, trace)
        _prepare(job, parallelizer)
        with measured_memory(trace), _working(trace):
            parallelizer.run(job)
    except (NotAvailable, NotInstalled) as error:
        reason, failed = str(error), "skipped"
    except BaseException as error:
        traceback.print_exc()
        reason = _reason(error)
    record, why = _merged(trace, folder)
    reason = reason or why
    measured, reason = _measure(spec, record, registry, reason or (record.not_finite if record else "") or "")
    return CellResult(
        cell=spec,
        outcome=failed if reason else "done",
        reason=reason,
        metrics={name: value if isinstance(value, float) else None for name, value in measured.items()},
        censored={name: value.bound for name, value in measured.items() if isinstance(value, Censored)},
        prepare_seconds=record.prepare_seconds if record else None,
        started=started,
        host=platform.node(),
    )


def _assemble(
    spec: CellSpec, folder: Path, registry: Registry, trace: TraceWriter
) -> tuple[Job[Any], Parallelizer[Any]]:
    workload = registry.build("workload", spec.workload.name, spec.workload.parameters)
    parallelizer = registry.build("parallelizer", spec.parallelizer.name, spec.parallelizer.parameters)
    device = registry.build("device", spec.device.name, spec.device.parameters)
    for component in (workload, parallelizer, device):
        availability = component.availability()
        if not availability.ok:
            raise NotAvailable(str(availability))
    trace.fact("budget", spec.budget.model_dump(mode="json"))
    return Job(workload, device, spec.budget, spec.seed, trace, folder, spec.numerics), parallelizer


def _prepare(job: Job[Any], parallelizer: Parallelizer[Any]) -> None:
    with job.trace.span("prepare"):
        job.workload.prepare()
        job.workload.keep(job.seed)
        parallelizer.prepare(job)
    job.trace.flush()


@contextlib.contextmanager
def _working(trace: TraceWriter) -> Iterator[None]:
    """The span ``job``: what counts as the run where no worker was launched; value: CPU seconds."""
    trace.begin()
    before = time.process_time()
    with trace.span("job") as span:
        yield
        span.value = time.process_time() - before


def _reason(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"exited with status {error.code}"
    text = str(error).strip().split("\n")[0]
    return text if isinstance(error, HarnessError) else f"{type(error).__name__}: {text}"


def _merged(trace: TraceWriter, folder: Path) -> tuple[Trace | None, str]:
    """Every process's shard as one trace, or ``None``; and what went wrong."""
    why = ""
    try:
        trace.close()
    except Exception as error:
        traceback.print_exc()
        why = _reason(error)
    try:
        return merged(folder), why
    except (OSError, ValueError) as error:
        traceback.print_exc()
        return None, why or _reason(error)


def _measure(
    spec: CellSpec, record: Trace | None, registry: Registry, reason: str
) -> tuple[dict[str, float | Censored | None], str]:
    """Take the metrics; one that is not finite, or cannot be taken, fails the cell."""
    measured: dict[str, float | Censored | None] = {}
    for chosen in spec.metrics if record is not None else ():
        try:
            value = _take(registry.build("metric", chosen.name, chosen.parameters), spec, record)
        except NotInstalled:
            value = None
        except Exception as error:
            traceback.print_exc()
            value, reason = None, reason or f"{chosen.label} was not measured: {_reason(error)}"
        if isinstance(value, float) and not math.isfinite(value):
            value, reason = None, reason or f"{chosen.label} is {value}"
        measured[chosen.label] = value
    return measured, reason


def _take(metric: Metric, spec: CellSpec, record: Trace | None) -> float | Censored | None:
    if record is None or (metric.timed and not spec.alone):
        return None
    value = metric.measure(record)
    return value if value is None or isinstance(value, Censored) else float(value)
