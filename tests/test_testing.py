"""The conformance kit: it passes what is sound, and names what is wrong with what is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.components import Budget
from harness.errors import HarnessError
from harness.registry import Plugin, Registry
from harness.testing import Outcome, Problem, checks_of
from harness.testing.cells import Bench, Evidence, Pair
from harness.testing.kit import resolve
from harness.testing.metrics import MOST_TRIED, finite, traces
from harness.testing.outcomes import counts, summary
from harness.testing.parallelizers import SMALL
from harness.testing.traces import difference, sequence, well_formed
from harness.trace import TraceWriter
from harness.tracefile import Trace, merge
from tests.conftest import Harness

PACKAGES = Path(__file__).parent / "packages"


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    """What comes of checking every broken component; in a process of its own, as its cells must find them too."""
    variables = {"PYTHONPATH": str(PACKAGES / "broken"), "HARNESS_PLUGINS": "broken,heavy"}
    command = [sys.executable, "-m", "harness", "check", "broken", "heavy", "--time-limit", "30", "--json"]
    done = subprocess.run(
        command,
        cwd=tmp_path_factory.mktemp("broken"),
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    return [Outcome(**outcome) for outcome in json.loads(done.stdout)["checks"]]


def of(name: str, outcomes: list[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.component.partition(" on ")[0] == name]


BROKEN = {
    "undocumented": ("parameters", "no description of mystery"),
    "thawed": ("frozen", "sides can be changed"),
    "wordless": ("summary", "Wordless has no docstring"),
    "rambling": ("summary", "'Has a summary that goes on' goes on"),
    "Shouting/Loud": ("label", "not 'Shouting/Loud'"),
    "lax": ("errors", "an unknown parameter is accepted"),
    "crashing": ("errors", "a wrong type of sides ends in KeyError"),
    "lossy": ("round-trip", "not the same component after JSON"),
    "helpless": ("availability", "remedy ''"),
    "heavy": ("light", "registering heavy imports pyarrow"),
    "backwards": ("trace", "span 'back' of worker -1 ends before it starts"),
    "unclosed": ("trace", "span 'open' of worker -1 is open"),
    "negative": ("trace", "counter 'bytes_sent' of worker -1 is negative: -8"),
    "not-a-number": ("trace", "value 'thrown' of worker -1 is nan at step 1"),
    "rewinding": ("trace", "value 'thrown' of worker -1 goes back in its steps"),
    "unseeded": ("same-seed", "one seed, two runs, other events"),
    "fixed": ("other-seed", "seeds 0 and 1 give the same events"),
    "endless": ("steps", "'thrown' is recorded at step 49 of 3"),
    "tireless": ("seconds", "ignores its budget of 0.5 s: no end after 30 s"),
    "growing": ("prepare", "prepare changes faces"),
    "once": ("prepare", "the dice are on the table already"),
    "laden": ("travels", "what prepare made travels too: thrown"),
    "zero": ("empty", "an empty trace gives 0.0"),
    "unmeasured": ("declares", "no unit"),
    "infinite": ("finite", "a real trace gives inf"),
    "untimed": ("clock", "a slower clock turns"),
    "inexact": ("exact", "declared exact, and gives"),
    "shuffled": ("launch", "returned [2, 1, 0]"),
    "silent": ("failure", "worker 2 failed and launch returned"),
    "alone": ("launch", "returned [0, 0, 0]"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_caught_and_named(name: str, broken: list[Outcome]) -> None:
    expected, words = BROKEN[name]
    (reason,) = (o.reason for o in of(name, broken) if o.check == expected and o.outcome == "failed")
    assert words in reason


@pytest.mark.slow
def test_every_broken_component_is_told_of(broken: list[Outcome]) -> None:
    failed = {o.component.partition(" on ")[0] for o in broken if o.outcome == "failed"}
    assert failed == BROKEN.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dice", "sound"])
def test_what_is_sound_passes_every_check(name: str, broken: list[Outcome]) -> None:
    assert {o.outcome for o in of(name, broken)} == {"passed"}


@pytest.mark.slow
def test_a_failure_that_is_declared_is_counted_apart_with_its_reason(broken: list[Outcome]) -> None:
    (outcome,) = (o for o in of("admitted", broken) if o.outcome != "passed")
    assert (outcome.check, outcome.outcome) == ("other-seed", "failed as expected")
    assert outcome.reason.startswith("these dice are loaded (seeds 0 and 1")


@pytest.mark.slow
def test_what_needs_a_parameter_is_skipped_saying_which(broken: list[Outcome]) -> None:
    outcomes = of("needy", broken)
    assert {o.outcome for o in outcomes} == {"passed", "skipped"}
    assert {o.reason for o in outcomes if o.outcome == "skipped"} == {"needy needs dice"}


def test_the_summary_tells_how_much_ran() -> None:
    outcomes = [Outcome("metric", "a", "empty", "passed"), Outcome("metric", "a", "finite", "skipped", "no trace")]
    assert counts(outcomes) == {"passed": 1, "failed": 0, "skipped": 1, "failed as expected": 0}
    assert summary(outcomes) == "2 checks, 1 components: 1 passed, 0 failed, 1 skipped, 0 failed as expected"


def test_a_plugins_name_means_all_that_it_offers(registry: Registry) -> None:
    assert {o.name for o in resolve("unruly", registry)} == {
        "counting",
        "other",
        "stored",
        "slow",
        "gated",
        "busy",
        "lingering",
        "ranks",
        "unruly",
        "absent",
        "sum_of_losses",
    }
    with pytest.raises(HarnessError, match="did you mean 'counting'"):
        resolve("countin", registry)


def test_no_check_is_made_twice(registry: Registry) -> None:
    names = [str(one) for one in checks_of(["unruly", "counting", "unruly"], registry)]
    assert len(names) == len(set(names))


class Counting(Bench):
    """A bench whose cells all leave one trace."""

    def __init__(self, registry: Registry, trace: Trace) -> None:
        super().__init__(registry)
        self.trace = trace
        self.cells: list[Pair] = []

    def _run(self, pair: Pair, budget: Budget, seed: int, alone: bool, metric: str) -> Evidence:
        self.cells.append(pair)
        return Evidence("", self.trace)


@pytest.mark.parametrize(("metric", "cells"), [("final_loss", 1), ("final_accuracy", MOST_TRIED)])
def test_a_metric_alone_is_checked_on_one_cell_that_has_its_number_and_on_few_that_have_not(
    registry: Registry, tmp_path: Path, metric: str, cells: int
) -> None:
    bench = Counting(registry, record(tmp_path / "trace", [2, 1]))
    finite(bench, replace(registry.offer("metric", metric), plugin=Plugin("another", "another", "1")))
    assert len(bench.cells) == cells
    imported = [len(pair.imports) for pair in bench.cells]
    others = [pair for parallelizer in registry.of_kind("parallelizer") for pair in bench.pairs(parallelizer)]
    assert imported == sorted(len(pair.imports) for pair in others)[:cells]


def test_a_metric_is_checked_on_every_cell_that_was_run_already(registry: Registry, tmp_path: Path) -> None:
    bench = Counting(registry, record(tmp_path / "trace", [2, 1]))
    for pair in bench.pairs(registry.offer("parallelizer", "slow")):
        bench.ran(pair, SMALL)
    run = list(bench.cells)
    offer = registry.offer("metric", "sum_of_losses")
    assert [pair for pair, _ in traces(bench, offer)][: len(run)] == run


def test_check_prints_what_is_wrong_and_exits_with_1(harness: Harness) -> None:
    done = harness("check", "sum_of_losses")
    assert done.returncode == 1, done.stderr
    assert "failed: metric sum_of_losses: empty: an empty trace gives 0.0" in done.stdout
    assert " checks, 1 components: " in done.stdout


def test_check_as_json_has_counts_and_outcomes(harness: Harness) -> None:
    done = harness("check", "absent", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert told["counts"]["skipped"] == 4
    assert {c["reason"] for c in told["checks"]} == {"", "absent needs no_such_module; pip install no-such-module"}
    assert harness("check", "absentt").returncode == 2


KEPT = """
from harness.testing import Conformance


class TestKept(Conformance):
    components = ["kept", "unruly"]
"""
KEPT_ONLY = "kept-desk or kept_error or absent or sum_of_losses"


@pytest.mark.slow
def test_a_plugin_written_against_this_version_conforms_from_now_on(harness: Harness) -> None:
    done = harness("check", "kept", PYTHONPATH=str(PACKAGES / "kept"), HARNESS_PLUGINS="kept")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 failed, 0 skipped, 0 failed as expected" in done.stdout


@pytest.mark.slow
def test_the_kit_is_a_pytest_base_class_that_fails_skips_and_passes(tmp_path: Path) -> None:
    (tmp_path / "test_kept.py").write_text(KEPT)
    paths = os.pathsep.join(str(PACKAGES / package) for package in ("kept", "unruly"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rsf", "-p", "no:cacheprovider", "-W", "error", "-k", KEPT_ONLY],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths, "HARNESS_PLUGINS": "kept,unruly"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed" in done.stdout
    assert "4 skipped" in done.stdout
    assert "an empty trace gives 0.0" in done.stdout
    assert "absent needs no_such_module" in done.stdout


def record(folder: Path, values: list[float]) -> Trace:
    """A small trace, written and read as a cell's is."""
    folder.mkdir()
    trace = TraceWriter(folder)
    with trace.span("job"):
        for step, value in enumerate(values):
            trace.value("loss", value, step=step)
    trace.close()
    return Trace.read(merge(folder))


def test_a_span_that_outlasts_its_job_is_named(tmp_path: Path) -> None:
    trace = TraceWriter(tmp_path)
    late = trace.span("late")
    late.__enter__()
    with trace.span("job"):
        pass
    late.__exit__(None, None, None)
    trace.close()
    with pytest.raises(Problem, match="span 'late' ends after the job"):
        well_formed(Trace.read(merge(tmp_path)))


def test_sequences_are_compared_times_apart_and_the_first_difference_is_named(tmp_path: Path) -> None:
    first, again, other, longer = (
        sequence(record(tmp_path / name, values))
        for name, values in {"a": [1, 2], "b": [1, 2], "c": [1, 3], "d": [1, 2, 3]}.items()
    )
    assert difference(first, again) == ""
    assert difference(first, other) == "event 2 of worker -1: loss=2 at step 1 and loss=3 at step 1"
    assert difference(first, longer) == "worker -1 left 3 events and 4"
    assert difference(first, longer, whole=False) == ""
