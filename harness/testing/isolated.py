"""Asking a question in a fresh process, which may crash, hang or import what it likes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from harness.registry import Offer, load
from harness.testing.outcomes import Problem, Skip
from harness.warm import PRELOAD

REGISTERING = 60.0
TOLD = "told: "
ANSWER = "import sys; from harness.testing.isolated import answer; answer(*sys.argv[1:])"
REGISTER = f"import json, sys; from harness.registry import load; load(); print({TOLD!r} + json.dumps([*sys.modules]))"


def isolated(question: Callable[[Offer], None], offer: Offer, *, time_limit: float) -> None:
    """Ask about a component in a process of its own; what it raises there is raised here."""
    arguments = (question.__module__, question.__name__, offer.kind, offer.qualified)
    said = _told(ANSWER, offer.plugin.name, *arguments, time_limit=time_limit)
    if said:
        raise {"Problem": Problem, "Skip": Skip}[said["kind"]](said["reason"])


@cache
def imported(plugin: str) -> list[str]:
    """The modules that a process has which registered this plugin, and did no more."""
    return list(_told(REGISTER, plugin, time_limit=REGISTERING))


def _told(code: str, plugin: str, *arguments: str, time_limit: float) -> Any:
    """Run some code with this plugin alone; the JSON of the last line that it marks as told."""
    environment = {k: v for k, v in os.environ.items() if k != PRELOAD}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "HARNESS_PLUGINS": plugin}
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=time_limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Problem(f"no end after {time_limit:g} s") from None
    told = [line for line in done.stdout.splitlines() if line.startswith(TOLD)]
    if not told:
        raise Problem(f"the process ended with status {done.returncode}: {_last(done.stderr)}")
    return json.loads(told[-1].removeprefix(TOLD))


def answer(module: str, question: str, kind: str, name: str) -> None:
    """Answer a question in this process, on stdout."""
    offer = load().offer(kind, name)
    said: dict[str, Any] = {}
    try:
        getattr(import_module(module), question)(offer)
    except (Problem, Skip) as found:
        said = {"kind": type(found).__name__, "reason": str(found)}
    except Exception as error:
        said = {"kind": "Problem", "reason": f"{type(error).__name__}: {error}"}
    print(TOLD + json.dumps(said), flush=True)  # noqa: T201


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1]
