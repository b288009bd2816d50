"""``pytest suites/smoke.toml``: the hooks, loaded by every pytest run and idle where no suite is named."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError

# What every suite has at its top level, and other TOML files do not; a suite with a mistake still has it.
LOOKS_LIKE_A_SUITE = re.compile(r"^(\[\[matrix\]\]|metrics\s*=)", re.MULTILINE)
FOLDER = "harness_run"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for where results go."""
    parser.getgroup("harness").addoption(
        "--harness-output",
        metavar="DIR",
        type=Path,
        help="Keep the runs of suites under this folder (default: the base temporary directory).",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Have pytest-xdist keep a suite's tests in one worker."""
    named = any(argument.partition("::")[0].endswith(".toml") for argument in config.args)
    if not named or config.getoption("dist") not in ("load", "worksteal"):
        return None
    from xdist.scheduler import LoadScopeScheduling

    scheduling = LoadScopeScheduling(config, log)
    scheduling._split_scope = _scope
    return scheduling


def _scope(nodeid: str) -> str:
    """What of a test's id says where it runs: a suite's file, or all of it."""
    path = nodeid.partition("::")[0]
    return path if path.endswith(".toml") else nodeid


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    """Skip a test whose data set is not here and cannot be fetched, saying so."""
    with _data():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, Any, Any]:
    """Likewise where a fixture needs the data."""
    with _data():
        return (yield)


@contextmanager
def _data() -> Iterator[None]:
    try:
        yield
    except HarnessError as error:
        from harness.data import Unreachable

        if isinstance(error, Unreachable):
            pytest.skip(str(error))
        raise


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a suite that was named on the command line, and no other file."""
    if file_path.suffix != ".toml" or not parent.session.isinitpath(file_path):
        return None
    if not LOOKS_LIKE_A_SUITE.search(file_path.read_text(encoding="utf-8", errors="replace")):
        return None
    from harness.adapters.pytest_items import SuiteFile

    return SuiteFile.from_parent(parent, path=file_path)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the runs are."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    properties = [pair for report in reports for pair in getattr(report, "user_properties", ())]
    folders = dict.fromkeys(value for name, value in properties if name == FOLDER)
    if folders:
        terminalreporter.section("harness")
    for folder in folders:
        terminalreporter.write_line(f"Run: {folder}")
