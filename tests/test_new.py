"""What `harness new` writes works at once, and a name that cannot be is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.testing.new import new
from tests.conftest import Harness
from tests.test_packaging import NOT_CORE, ROOT, Environment

OFFERED = {
    ("workload", "my-darts-darts"),
    ("parallelizer", "my-darts-split"),
    ("device", "my-darts-desk"),
    ("metric", "my_darts_error"),
}


def wheel(source: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    done = subprocess.run([*command, "-w", folder, source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_new_plugin_installs_is_listed_conforms_and_passes_its_own_tests(tmp_path: Path) -> None:
    core = tmp_path / "core"
    shutil.copytree(ROOT, core, ignore=shutil.ignore_patterns(*NOT_CORE))
    fresh = Environment(tmp_path)
    fresh.install([wheel(core, tmp_path / "core-wheel")])
    written = fresh.run("-m", "harness", "new", "my.darts")
    assert written.returncode == 0, written.stderr
    project = tmp_path / "my.darts"
    shutil.copytree(project, tmp_path / "source")
    fresh.install([wheel(tmp_path / "source", tmp_path / "plugin-wheel")])
    assert fresh.names("my.darts") == OFFERED

    checked = fresh.run("-m", "harness", "check", "my.darts")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert " 0 failed, 0 skipped, 0 failed as expected" in checked.stdout
    tested = fresh.run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)
    assert tested.returncode == 0, tested.stdout
    assert " passed" in tested.stdout
    ran = fresh.run("-m", "harness", "run", "suites/my-darts.toml", "--quick", "--json", cwd=project)
    assert {cell["outcome"] for cell in json.loads(ran.stdout)["cells"]} == {"done"}


def test_every_file_of_the_template_is_filled_in(tmp_path: Path) -> None:
    project = new("my-darts", tmp_path)
    texts = {path.relative_to(project): path.read_text() for path in project.rglob("*") if path.is_file()}
    assert {str(path) for path in texts} == {
        ".gitignore",
        "pyproject.toml",
        "README.md",
        "src/my_darts/__init__.py",
        "tests/test_my_darts.py",
        "suites/my-darts.toml",
        ".github/workflows/test.yml",
    }
    left = {name: text for name, text in texts.items() if "$" in text.replace("${{ matrix.python }}", "")}
    assert not left


@pytest.mark.parametrize("command", [["format", "--check"], ["check", "--select=B,E,F,I,UP"]])
def test_what_is_written_is_formatted_and_has_no_lint(command: list[str], tmp_path: Path) -> None:
    project = new("my-darts", tmp_path)
    line = [sys.executable, "-m", "ruff", *command, "--isolated", "--line-length=120", "."]
    done = subprocess.run(line, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["", "my plugin", "-mine", "mine-", "a/b", "../up", "harness", "2pac", "class", "é"])
def test_a_name_that_cannot_be_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="'my-plugin'") as refused:
        new(name, tmp_path)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_left_alone(harness: Harness, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    done = harness("new", "mine")
    assert done.returncode == 2
    assert done.stderr == "error: mine: is there already: choose another name, or -o for another place\n"
    assert not list((tmp_path / "mine").iterdir())
