"""Ingest of many cameras at once: a process each, so that one that fails, or is killed, fails alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from harness import HarnessError

LOOK = 1.0  # seconds between looks at whether the parent is there


def places(sources: Sequence[str], folder: Path) -> Mapping[str, Path]:
    """The index of each source. Raises HarnessError where two would share one."""
    found: dict[Path, str] = {}
    for source in sources:
        path = folder / f"{_stem(source)}.sqlite"
        if path in found:
            raise HarnessError(f"would share the index {path} with {found[path]}; give it another folder", where=source)
        found[path] = source
    return {source: path for path, source in found.items()}


def _stem(source: str) -> str:
    """A file name for a stream: its own, or its address without what a file name cannot have."""
    name = source.split("://", 1)[1] if "://" in source else source.rsplit("/", 1)[-1]
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)


def each_alone(orders: Mapping[str, Sequence[str]]) -> list[str]:
    """Run ``harness`` with the arguments of each source, all at once; the sources that failed.

    A process says itself what is wrong; of one that cannot, it is said here. No process outlives this one.
    """
    running = {source: _begun(arguments) for source, arguments in orders.items()}
    failed = []
    with ThreadPoolExecutor(len(running)) as pool:
        try:
            ending = {pool.submit(process.wait): source for source, process in running.items()}
            for ended in as_completed(ending):
                if status := ended.result():
                    failed.append(ending[ended])
                    _say_what_ended(ending[ended], status)
        finally:
            for process in running.values():
                process.kill()
    return failed


def _say_what_ended(source: str, status: int) -> None:
    if status < 0:
        name = signal.Signals(-status).name
        _say(f"error: {source}: its process was ended by {name}; the same command goes on with its index")


def end_with(parent: int) -> None:
    """End this process when its parent does, however that ends."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


def _begun(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "harness", *arguments])


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201
