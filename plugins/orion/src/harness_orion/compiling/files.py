"""Generated code in files named by their content: the compiler's cache then holds, and a user can read what runs."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import threading
from pathlib import Path
from types import ModuleType

PASSES = 3  # Numba keeps what it compiled by file: a change to how files are compiled has to change their names.
COMPILING = threading.Lock()  # CPython's parser and the table of modules are not made for several threads.


def folder() -> Path:
    """Where generated files are kept."""
    if chosen := os.environ.get("HARNESS_DATA"):
        return Path(chosen) / "orion"
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "paper-harness" / "orion"


def written(name: str, text: str) -> Path:
    """Write a file once; its name begins as given."""
    digest = hashlib.sha256(f"{PASSES}\n{text}".encode()).hexdigest()[:16]
    path = folder() / f"{name}_{digest}.py"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
        temporary.write_text(text)
        temporary.replace(path)
    return path


def loaded(path: Path) -> ModuleType:
    """Import a generated file, once a process."""
    name = f"harness_orion_generated.{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
