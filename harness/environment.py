"""Where a run was made: machine, accelerators, versions, commit and the variables that matter."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path

import psutil

from harness.registry import Registry

VARIABLES = (
    "CUDA_",
    "OMP_",
    "MKL_",
    "OPENBLAS_",
    "NUMBA_",
    "NCCL_",
    "GLOO_",
    "TORCH_",
    "PYTORCH_",
    "HARNESS_",
    "PYTHONHASHSEED",
)
PACKAGES = ("numpy", "numba", "torch", "scipy", "scikit-learn", "pyarrow", "pydantic", "pluggy")


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def capture(registry: Registry) -> dict[str, str]:
    """Everything about this machine that a result may depend on, as text; plugins add to it."""
    facts = {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": str(cores()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "accelerators": _accelerators() or "none",
        "python": sys.version.split()[0],
        "commit": _commit(),
        **_versions(),
        **{name: value for name, value in sorted(os.environ.items()) if name.startswith(VARIABLES)},
    }
    for more in registry.observe("harness_environment"):
        facts.update(_text(more))
    return facts


def _text(facts: Mapping[str, object]) -> dict[str, str]:
    return {str(key): str(value) for key, value in facts.items()}


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _accelerators() -> str:
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    return "; ".join(_output(query).splitlines())


def _commit() -> str:
    """The checkout's commit, marked where files differ from it; empty outside a checkout."""
    here = str(Path(__file__).parent)
    commit = _output(["git", "-C", here, "rev-parse", "--short=12", "HEAD"])
    if not commit:
        return ""
    return commit + ("+changes" if _output(["git", "-C", here, "status", "--porcelain", "-uno"]) else "")


def _versions() -> dict[str, str]:
    found = {d.name: d.version for d in distributions() if d.name in PACKAGES or "harness" in d.name}
    return dict(sorted(found.items()))


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
