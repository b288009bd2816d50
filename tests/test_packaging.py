"""Wheels in fresh virtual environments: somebody else's plugin, and ours with the core alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("harness", "paper_harness", "__editable__", "easy-install", "distutils-precedence")
NOT_SOURCE = ("*.egg-info", "build", "__pycache__")
NOT_CORE = (*NOT_SOURCE, ".*", "dist", "results", "tests", "plugins")
PLUGINS = sorted(path.parent.name for path in (ROOT / "plugins").glob("*/pyproject.toml"))


def shared_packages(folder: Path) -> Path:
    """A folder with everything that is installed here but our own packages."""
    folder.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(OURS):
            (folder / entry.name).symlink_to(entry)
    return folder


class Environment:
    """A fresh virtual environment; everything but our own packages is shared with this one."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder / "venv", with_pip=False)
        self.python = folder / "venv" / "bin" / "python"
        (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
        (site / "shared.pth").write_text(str(shared_packages(folder / "shared")))
        self.folder = folder

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("HARNESS_PLUGINS", "PYTHONPATH"))}
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=cwd or self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def install(self, wheels: Sequence[Path]) -> None:
        done = self.run("-m", "pip", "install", "--no-deps", "--no-index", "--quiet", *map(str, wheels))
        assert done.returncode == 0, done.stderr

    def names(self, plugin: str) -> set[tuple[str, str]]:
        listed = json.loads(self.run("-m", "harness", "list", "--json").stdout)
        return {(row["kind"], row["name"]) for row in listed if row["plugin"] == plugin and row["kind"] != "plugin"}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A wheel of the core, of each plugin, and of the stranger's."""
    folder = tmp_path_factory.mktemp("wheels")
    sources = {"core": ROOT, "stranger": ROOT / "tests/packages/stranger"} | {p: ROOT / "plugins" / p for p in PLUGINS}
    built = {}
    for name, source in sources.items():
        copy = folder / "source" / name
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns(*(NOT_CORE if name == "core" else NOT_SOURCE)))
        command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
        done = subprocess.run(
            [*command, "-w", str(folder / name), str(copy)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        (built[name],) = (folder / name).glob("*.whl")
    return built


STRANGERS_SUITE = """
title = "Primes"
metrics = ["primes_found", "wall_time"]
[[matrix]]
workload = "primes"
parallelizer = [{ name = "ranges", workers = 1, label = "one" }, { name = "ranges", workers = 3, label = "three" }]
device = ["desk", "processes"]
"""


def test_a_strangers_plugin_is_listed_run_and_measured_and_gone_when_uninstalled(
    wheels: dict[str, Path], tmp_path: Path
) -> None:
    fresh = Environment(tmp_path)
    fresh.install([wheels["core"]])
    assert fresh.names("harness-stranger") == set()
    fresh.install([wheels["stranger"]])
    offered = {("workload", "primes"), ("parallelizer", "ranges"), ("device", "desk"), ("metric", "primes_found")}
    assert fresh.names("harness-stranger") == offered
    (tmp_path / "primes.toml").write_text(STRANGERS_SUITE)
    done = fresh.run("-m", "harness", "run", "primes.toml", "-o", "out", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    cells = json.loads(done.stdout)["cells"]
    assert len(cells) == 4
    assert {c["metrics"]["primes_found"] for c in cells} == {168.0}, "there are 168 primes below 1000"
    assert fresh.run("-m", "pip", "uninstall", "--yes", "harness-stranger").returncode == 0
    assert fresh.names("harness-stranger") == set()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("plugin", ["strsaga"])
def test_a_plugins_wheel_passes_its_own_tests_with_the_core_alone(
    plugin: str, wheels: dict[str, Path], tmp_path: Path
) -> None:
    fresh = Environment(tmp_path)
    fresh.install([wheels["core"], wheels[plugin]])
    tests = tmp_path / plugin / "tests"
    shutil.copytree(ROOT / "plugins" / plugin / "tests", tests)
    shutil.copy(ROOT / "plugins" / plugin / "pyproject.toml", tests.parent)
    done = fresh.run("-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests), cwd=tests.parent)
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout


def test_the_core_names_no_paper() -> None:
    papers = ("pipedream", "skewscout", "orion", "strsaga", "focus")
    for path in (ROOT / "harness").rglob("*.py"):
        words = path.read_text(encoding="utf-8").lower()
        assert not [paper for paper in papers if paper in words], path


def test_all_that_is_exported_is_there() -> None:
    import harness

    assert sorted(harness.__all__) == list(harness.__all__)
    assert all(getattr(harness, name) is not None for name in harness.__all__)
