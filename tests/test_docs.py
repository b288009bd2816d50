"""What the docs say is true: their commands run, their examples are valid, and the site builds and needs no network.

A page's ``sh`` blocks run in order, as one script, in a scratch clone with an environment of its own. A comment on
the lines before a block is the only exception: ``<!-- not run here: REASON -->`` skips it, whatever its language, and
``<!-- run here as: COMMANDS -->`` runs something cheaper. A block with ``title="FILE"`` is a file in that clone.
The plugins' READMEs are pages like the others.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from harness.cli import app
from harness.registry import load
from harness.suite import parse

ROOT = Path(__file__).parent.parent
READMES = sorted(ROOT.glob("plugins/*/README.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")), *READMES]
BLOCK = re.compile(
    r"(?:^<!-- (?P<how>not run here|run here as):(?P<other>.*?)-->\n)?"
    r'^```(?P<language>\w+)(?: title="(?P<file>.+?)")?\n'
    r"(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
LANGUAGES = {"sh", "toml", "python", "yaml", "text"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, and how it is tested."""

    page: Path
    line: int
    language: str
    text: str
    file: str
    how: str
    other: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("language")) + 1
        parts = {key: (match[key] or "").strip() for key in ("file", "how", "other")}
        found.append(Block(page, line, match["language"], match["text"], **parts))
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


LEFT_OUT = [block for block in BLOCKS if block.how == "not run here"]


def of(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language and block not in LEFT_OUT]


KNOWN = {command.name or (command.callback.__name__ if command.callback else "") for command in app.registered_commands}
KNOWN |= {group.name or "" for group in app.registered_groups} | set(load().names("command"))
RUN = of("sh")


def environment(folder: Path) -> Path:
    """A virtual environment of its own that sees everything installed in this one, and has its commands."""
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "shared.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    for name in ("harness", "pytest", "pytest-benchmark", "mkdocs", "ruff", "mypy", "lint-imports"):
        script = Path(sysconfig.get_path("scripts")) / name
        text = script.read_bytes()
        if text.startswith(b"#!"):
            text = b"#!" + str(folder / "bin" / "python").encode() + b"\n" + text.partition(b"\n")[2]
        (folder / "bin" / name).write_bytes(text)
        (folder / "bin" / name).chmod(0o755)
    return folder / "bin"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of the working tree with two commits and an environment."""
    folder = tmp_path / "clone"
    tracked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    listed = subprocess.run(tracked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    git = ["git", "-c", "user.name=Docs", "-c", "user.email=docs@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "1"], ["commit", "-qm", "2", "--allow-empty"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    environment(folder / ".venv")
    return folder


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", sorted({block.page for block in RUN}), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_run_in_order(page: Path, clone: Path) -> None:
    for block in blocks_of(page):
        if block.file:
            (clone / block.file).write_text(block.text)
    script = "\n".join(f"echo '== {block}' >&2\n{block.other or block.text}" for block in RUN if block.page == page)
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("HARNESS_PLUGINS", "PYTEST", "PYTHONPATH"))}
    variables |= {"PATH": f"{clone / '.venv/bin'}:{os.environ['PATH']}", "VIRTUAL_ENV": str(clone / ".venv")}
    command = ["timeout", "800", "bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=clone, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.parametrize("block", LEFT_OUT, ids=str)
def test_a_block_that_is_not_run_says_why(block: Block) -> None:
    assert block.other
    pytest.skip(block.other)


def test_the_tests_that_run_other_blocks_exist() -> None:
    named = {name for block in LEFT_OUT for name in re.findall(r"[\w/]*tests/\S+\.py", block.other)}
    assert not {name for name in named if not (ROOT / name).is_file()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_that_a_text_names_exists(page: Path) -> None:
    named = re.findall(r"(?:^|`)harness ([a-z]+)\b", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(named) <= KNOWN


# The pages of the site have theirs checked when it is built.
@pytest.mark.parametrize("page", [*PAGES[:2], *READMES], ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_within_the_project_leads_somewhere(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"\w+:", link)}
    assert not {link for link in links if not (page.parent / link).exists()}


def test_every_block_is_of_a_language_that_is_tested() -> None:
    assert {block.language for block in BLOCKS} <= LANGUAGES
    fences = sum(len(re.findall(r"^```", page.read_text(encoding="utf-8"), re.MULTILINE)) for page in PAGES)
    assert fences == 2 * len(BLOCKS), "a block has no language"


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_a_toml_block_is_valid_and_a_suite_has_cells(block: Block) -> None:
    table = tomllib.loads(block.text)
    if "matrix" in table:
        head = "" if "title" in table else 'title = "A part of a suite"\nmetrics = ["wall_time"]\n'
        assert parse(head + block.text, name="docs", where=str(block), registry=load()).cells


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_a_python_block_can_be_imported(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "example.py"
    path.write_text(block.text)
    spec = importlib.util.spec_from_file_location("example", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "example", module)
    spec.loader.exec_module(module)


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_a_yaml_block_is_valid(block: Block) -> None:
    assert yaml.safe_load(block.text)
