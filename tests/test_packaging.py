"""Wheels in fresh virtual environments: somebody else's plugin, and ours with the core alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("harness", "paper_harness", "__editable__", "easy-install", "distutils-precedence")
NOT_SOURCE = ("*.egg-info", "build", "__pycache__")
NOT_CORE = (*NOT_SOURCE, ".*", "dist", "results", "tests", "plugins")
PLUGINS = sorted(path.parent.name for path in (ROOT / "plugins").glob("*/pyproject.toml"))
OF_OURS = ("core", *PLUGINS)
PYTHONS = ("3.11", "3.12", "3.13")
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


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


@dataclass(frozen=True)
class Distribution:
    """What ``python -m build`` makes of a project: an sdist, and a wheel of that sdist."""

    source: Path
    sdist: Path
    wheel: Path

    def metadata(self) -> Message:
        with zipfile.ZipFile(self.wheel) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            return message_from_bytes(archive.read(name))


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Distribution]:
    """The core, each plugin, and the stranger's, built from copies without what is not source."""
    folder = tmp_path_factory.mktemp("distributions")
    sources = {"core": ROOT, "stranger": ROOT / "tests/packages/stranger"} | {p: ROOT / "plugins" / p for p in PLUGINS}
    built = {}
    for name, source in sources.items():
        copy = folder / "source" / name
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns(*(NOT_CORE if name == "core" else NOT_SOURCE)))
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / name), str(copy)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        (sdist,), (wheel,) = (folder / name).glob("*.tar.gz"), (folder / name).glob("*.whl")
        built[name] = Distribution(source, sdist, wheel)
    return built


@pytest.fixture(scope="module")
def wheels(distributions: dict[str, Distribution]) -> dict[str, Path]:
    return {name: built.wheel for name, built in distributions.items()}


def test_what_is_built_passes_twines_check(distributions: dict[str, Distribution]) -> None:
    files = [str(path) for name in OF_OURS for path in (distributions[name].sdist, distributions[name].wheel)]
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def packaged(source: Path) -> set[str]:
    """Every file of a project's import package, as a wheel names it."""
    parents = [path.parent for path in source.glob("src/*/__init__.py")] or [source / "harness"]
    return {
        path.relative_to(parent.parent).as_posix()
        for parent in parents
        for path in parent.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("name", OF_OURS)
def test_a_wheel_holds_every_file_of_its_package_and_nothing_else(
    name: str, distributions: dict[str, Distribution]
) -> None:
    with zipfile.ZipFile(distributions[name].wheel) as archive:
        held = {entry for entry in archive.namelist() if not entry.endswith("/")}
    expected = packaged(distributions[name].source)
    assert any(entry.endswith("/py.typed") for entry in expected)
    assert {entry for entry in held if ".dist-info/" not in entry} == expected
    assert any(entry.endswith(".dist-info/licenses/LICENSE") for entry in held)


@pytest.mark.parametrize("name", OF_OURS)
def test_an_sdist_brings_what_its_wheel_is_built_from(name: str, distributions: dict[str, Distribution]) -> None:
    with tarfile.open(distributions[name].sdist) as archive:
        held = {entry.partition("/")[2] for entry in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml"} <= held


def test_all_that_is_built_has_one_version_and_one_licence(distributions: dict[str, Distribution]) -> None:
    found = [distributions[name].metadata() for name in OF_OURS]
    assert {metadata["Version"] for metadata in found} == {VERSION}
    for metadata in found:
        assert metadata["License-Expression"].split(" AND ")[0] == "Apache-2.0"
        assert metadata["Requires-Python"] == ">=3.11"
        assert metadata["Description-Content-Type"] == "text/markdown"


def test_the_changelog_speaks_of_this_version_or_of_what_comes_next() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] in ("Unreleased", VERSION)
    assert VERSION in headings or headings == ["Unreleased"], "a version that is released has its section"


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_plugin_is_at_home_with_the_core_alone(plugin: str, wheels: dict[str, Path], tmp_path: Path) -> None:
    fresh = Environment(tmp_path)
    fresh.install([wheels["core"], wheels[plugin]])
    listed = json.loads(fresh.run("-m", "harness", "list", "--json").stdout)
    assert f"harness-{plugin}" in {row["plugin"] for row in listed if row["kind"] == "plugin"}
    assert {row["plugin"] for row in listed} == {"paper-harness", f"harness-{plugin}"}
    assert not [row for row in listed if row["error"]]


@pytest.mark.parametrize("version", PYTHONS)
def test_each_wheel_installs_and_compiles_on_a_python_that_is_here(
    version: str, wheels: dict[str, Path], tmp_path: Path
) -> None:
    python = shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-m", "venv", "venv"], cwd=tmp_path, check=False).returncode:
        pytest.skip(f"no python{version} here that makes environments")
    fresh = str(tmp_path / "venv" / "bin" / "python")
    files = [str(wheels[name]) for name in OF_OURS]
    for command in (
        ["-m", "pip", "install", "--no-deps", "--no-index", "--quiet", *files],
        ["-W", "error", "-m", "compileall", "-q", "-f", str(tmp_path / "venv" / "lib")],
        ["-c", f"import harness, sys; assert sys.version.startswith('{version}.')"],
    ):
        done = subprocess.run([fresh, *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


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
