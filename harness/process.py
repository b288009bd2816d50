"""The process of one cell, watched from outside: its time, its memory, and everything that it started."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Literal

from harness.cell import child
from harness.components import Start
from harness.devices.compute import VARIABLES
from harness.records import CellSpec
from harness.units import BYTES
from harness.warm import PRELOAD

POLL_SECONDS = 0.25
PAGE = os.sysconf("SC_PAGE_SIZE")

_starting = threading.Lock()
_ahead: set[str] = set()


@dataclass(frozen=True)
class End:
    """How a cell's process ended: by itself (``reason`` empty if with status 0), or stopped from here."""

    outcome: Literal["done", "failed", "timeout"]
    reason: str = ""


class Stopped(Exception):
    """The run was stopped while a cell was under way; it has no result."""


def run_cell(spec: CellSpec, path: Path, *, start: Start, stop: threading.Event) -> End:
    """Run the cell that ``path`` specifies in a process of its own; nothing it started survives it."""
    return _run(partial(_start, spec, path, start), spec, stop)


def run_call(spec: CellSpec, call: Callable[..., object], *arguments: object, stop: threading.Event) -> End:
    """Call a function within a cell's limits in such a process, which it makes its own first (``cell.settle``)."""
    return _run(partial(_fork, call, *arguments), spec, stop)


def _run(begin: Callable[[], BaseProcess | subprocess.Popen[bytes]], spec: CellSpec, stop: threading.Event) -> End:
    with _interrupts_held() as let_through:
        with _starting, _one_thread():
            process = begin()
        try:
            let_through()
            return _watch(process, spec, stop)
        finally:
            _kill_group(process)


@contextlib.contextmanager
def side_by_side(count: int) -> Iterator[tuple[ThreadPoolExecutor, threading.Event]]:
    """So many threads that watch a process each, and the event that stops these, set where the block fails."""
    stop = threading.Event()
    with ThreadPoolExecutor(count) as pool:
        try:
            yield pool, stop
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def warm_up(names: Iterable[str]) -> None:
    """Have the fork server bring in these modules and models (``module:class``) too when it starts."""
    _ahead.update(names)
    os.environ[PRELOAD] = " ".join(sorted(_ahead))
    multiprocessing.get_context("forkserver").set_forkserver_preload(["harness.warm"])


def _start(spec: CellSpec, path: Path, start: Start) -> BaseProcess | subprocess.Popen[bytes]:
    if spec.python or start != "fork":
        output = path.with_name("output.txt").open("ab")
        python = [spec.python or sys.executable, "-X", "faulthandler"]
        command = [*python, "-m", "harness", "cell", str(path), "--parent", str(os.getpid())]
        return subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, process_group=0)
    return _fork(child, str(path))


def _fork(call: Callable[..., object], *arguments: object) -> BaseProcess:
    process = multiprocessing.get_context("forkserver").Process(target=call, args=arguments)
    with _anonymous_main():
        process.start()
    return process


@contextlib.contextmanager
def _interrupts_held() -> Iterator[Callable[[], object]]:
    """Keep Ctrl-C until it is let through: it would end the fork server, or lose a process that is half started."""
    resource_tracker.ensure_running()  # first, since starting it lets interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    let_through = partial(signal.pthread_sigmask, signal.SIG_SETMASK, before)
    try:
        yield let_through
    finally:
        let_through()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Libraries start with one thread where the user said nothing; a device's ``threads`` asks for more."""
    added = [name for name in VARIABLES if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


@contextlib.contextmanager
def _anonymous_main() -> Iterator[None]:
    """Keep the child from importing this program's main module again, command line and all."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _watch(process: BaseProcess | subprocess.Popen[bytes], spec: CellSpec, stop: threading.Event) -> End:
    deadline = time.monotonic() + spec.time_limit
    while True:
        code = _wait(process, POLL_SECONDS)
        if code is not None:
            return End("done") if code == 0 else End("failed", _death(code))
        if stop.is_set():
            raise Stopped
        if time.monotonic() > deadline:
            return End("timeout", f"no end after {spec.time_limit:g} s")
        used = resident_bytes(process.pid or 0)
        if used > spec.memory_limit:
            gib = BYTES["GiB"]
            return End("failed", f"killed for memory: {used / gib:.2f} GiB, limit {spec.memory_limit / gib:.2f} GiB")


def _wait(process: BaseProcess | subprocess.Popen[bytes], seconds: float) -> int | None:
    if isinstance(process, subprocess.Popen):
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
    wait([process.sentinel], seconds)
    with _starting:  # which looks at every child of this process: two that ask at once disturb each other
        return process.exitcode


def _death(code: int) -> str:
    if code >= 0:
        return f"ended with status {code} and left no result"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "unknown"
    hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
    return f"died of signal {-code} ({name}){hint}"


def resident_bytes(group: int) -> int:
    """Resident memory of every process in a group; 0 where /proc does not tell."""
    total = 0
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[2]) == group:
                total += int(fields[21]) * PAGE
    return total


def _kill_group(process: BaseProcess | subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid or 0, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    if isinstance(process, subprocess.Popen):
        process.wait()
    else:
        process.join()
