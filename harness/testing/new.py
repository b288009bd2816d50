"""A plugin project to start from: small, whole, and conforming from the first minute."""

from __future__ import annotations

import keyword
import re
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template

from harness.errors import HarnessError

DISTRIBUTION = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)
FILES = {
    "gitignore.in": ".gitignore",
    "pyproject.toml.in": "pyproject.toml",
    "README.md.in": "README.md",
    "package.py.in": "src/$module/__init__.py",
    "tests.py.in": "tests/test_$module.py",
    "suite.toml.in": "suites/$label.toml",
    "workflow.yml.in": ".github/workflows/test.yml",
}


def new(name: str, parent: Path = Path()) -> Path:
    """Write the project ``name`` into a folder of that name, which it returns."""
    words = _words(name)
    folder = parent / name
    if folder.exists():
        raise HarnessError("is there already: choose another name, or -o for another place", where=str(folder))
    for source, target in FILES.items():
        path = folder / Template(target).substitute(words)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = files("harness.testing").joinpath("template", source).read_text(encoding="utf-8")
        path.write_text(Template(text).substitute(words), encoding="utf-8")
    return folder


def _words(name: str) -> dict[str, str]:
    """What stands for what in the template: the distribution's name, its module, the prefix of its components."""
    if not DISTRIBUTION.fullmatch(name):
        raise HarnessError(f"{name!r} is no distribution's name: use letters, digits and '-', as in 'my-plugin'")
    label = re.sub(r"[._-]+", "-", name).lower()
    module = label.replace("-", "_")
    if not module.isidentifier() or keyword.iskeyword(module) or module == "harness":
        raise HarnessError(f"{name!r} cannot be imported as {module!r}: choose a name such as 'my-plugin'")
    return {"name": name, "label": label, "module": module, "version": version("paper-harness")}
