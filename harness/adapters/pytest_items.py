"""A suite as pytest sees it: a file of tests, one for each group of cells and one for each claim."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from harness.adapters.pytest_plugin import FOLDER
from harness.adapters.replay import SuiteRun, against_the_paper, extra_info, timing, troubles, undecided, wall_seconds
from harness.engine import preload
from harness.errors import HarnessError
from harness.pairing import expand
from harness.records import CellResult, CellSpec, ClaimSpec
from harness.registry import load as load_registry
from harness.store import free_folder
from harness.suite import Suite
from harness.suite import load as load_suite

XDIST_WORKER = "PYTEST_XDIST_WORKER"


class Falls(Exception):
    """A test's failure that the suite explains: shown as it is, with no traceback."""


class Clock:
    """A timer that shows what it was set to, so that statistics are of the cells' own time."""

    now = 0.0

    def wall_time(self) -> float:
        """The time; pytest-benchmark shows the name of this method."""
        return self.now

    def reset(self) -> None:
        """Back to zero, from where a difference is exact."""
        self.now = 0.0


class SuiteItem(pytest.Function):
    """A test of a suite: of a group of cells, which has a clock, or of a claim, which has a measure."""

    cells: Sequence[CellSpec] = ()
    clock: Clock
    measure: str

    @property
    def file(self) -> SuiteFile:
        """The suite."""
        assert isinstance(self.parent, SuiteFile)
        return self.parent

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *rest: Any) -> Any:
        """What went wrong in the suite, and not where in the harness."""
        if isinstance(excinfo.value, Falls | HarnessError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *rest)

    def reportinfo(self) -> tuple[Path, int, str]:
        """A suite's tests have no lines of their own."""
        return self.path, 0, self.name


class SuiteFile(pytest.Module):
    """A suite's file. Its cells run block by block, when the first test that needs one asks."""

    obj = None
    _run: SuiteRun | None = None

    def collect(self) -> Iterator[SuiteItem]:
        """A test for each group of cells, then one for each claim."""
        try:
            suite = self.suite
        except HarnessError as error:
            raise self.CollectError(str(error)) from None
        groups: dict[str, list[CellSpec]] = {}
        for cell in suite.cells:
            groups.setdefault(cell.id.removeprefix(f"{cell.suite}/").rpartition("/")[0], []).append(cell)
        for name, cells in groups.items():
            yield self._group(name, sorted(cells, key=lambda cell: cell.seed))
        for claim in suite.claims:
            for one, _ in expand(claim, suite.cells):
                yield self._claim(one)

    @cached_property
    def suite(self) -> Suite:
        """The suite, whose cells do without times where other tests run beside them."""
        suite = timing(load_suite(Path(os.path.relpath(self.path)), load_registry()))
        return suite.sharing() if XDIST_WORKER in os.environ else suite

    def run(self, request: pytest.FixtureRequest) -> SuiteRun:
        """The run of the cells that were selected, started by the first test that asks."""
        if self._run is None:
            registry = load_registry()
            items = [item for item in self.session.items if isinstance(item, SuiteItem) and not _left_out(item)]
            preload([cell for item in items for cell in item.cells], registry)
            cells = {cell.id for item in items if item.parent is self for cell in item.cells}
            self._run = SuiteRun.start(self.suite, cells, self._folder(request), registry)
        return self._run

    def _folder(self, request: pytest.FixtureRequest) -> Path:
        output: Path | None = self.config.getoption("--harness-output")
        if output is None:
            factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
            return factory.mktemp(self.suite.name)
        return free_folder(self.config.invocation_params.dir / output / self.suite.name)

    def _group(self, name: str, cells: list[CellSpec]) -> SuiteItem:
        timed = self._has("pytest-benchmark")
        item = self._item(name, replay_timed if timed else replay)
        item.cells, item.clock = cells, Clock()
        if timed:
            item.add_marker(pytest.mark.benchmark(group=cells[0].workload.label, timer=item.clock.wall_time))
        return item

    def _claim(self, claim: ClaimSpec) -> SuiteItem:
        item = self._item(claim.id, check_claim)
        item.measure = claim.measure
        return item

    def _item(self, name: str, test: Callable[..., None]) -> SuiteItem:
        item = SuiteItem.from_parent(self, name=name, callobj=test)
        if self._has("timeout"):
            item.add_marker(pytest.mark.timeout(0))  # cells have limits of their own, and a test may run many
        return item

    def _has(self, plugin: str) -> bool:
        return bool(self.config.pluginmanager.has_plugin(plugin))


def _left_out(item: pytest.Item) -> bool:
    return item.get_closest_marker("skip") is not None


def replay(request: pytest.FixtureRequest) -> None:
    """A group of cells: passes where each of them ended well."""
    _check(_results(request))


def replay_timed(request: pytest.FixtureRequest, benchmark: Any) -> None:
    """The same, with the cells' wall times as the samples of pytest-benchmark."""
    results = _results(request)
    clock, seconds = request.node.clock, wall_seconds(results)
    samples = iter(seconds)

    def sample() -> None:
        _check(results)  # in here, so that pytest-benchmark keeps nothing of a group that failed
        clock.now = next(samples, 0.0)

    benchmark.disabled = benchmark.disabled or not seconds  # a time that was not measured is no sample, and not zero
    benchmark.extra_info.update(extra_info(results, load_registry()))
    benchmark.pedantic(sample, setup=clock.reset, rounds=max(1, len(seconds)))


def _results(request: pytest.FixtureRequest) -> list[CellResult]:
    item: SuiteItem = request.node
    run = item.file.run(request)
    item.user_properties.append((FOLDER, str(run.folder)))
    results = run.results(item.cells)
    if all(result.outcome == "skipped" for result in results):
        pytest.skip(results[0].reason)
    return results


def _check(results: list[CellResult]) -> None:
    found = troubles(results)
    if found:
        raise Falls(found)


def check_claim(request: pytest.FixtureRequest) -> None:
    """A claim: passes where it holds, fails where it falls short, and is skipped where that is not known."""
    item: SuiteItem = request.node
    found = item.file.run(request).claims.get(item.name)
    if found is None:
        pytest.skip(f"{item.name} not measured: none of its cells was selected")
    if found.verdict == "falls short":
        raise Falls(against_the_paper(found, item.measure))
    if found.verdict != "holds":
        pytest.skip(undecided(found, item.measure))
