"""Suites: what they expand to, and one clear line for everything that can be wrong with them."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.records import CellSpec
from harness.registry import Registry
from harness.suite import Suite, parse

HEAD = 'title = "T"\nmetrics = ["final_loss"]\n'
MATRIX = '[[matrix]]\nworkload = "counting"\nparallelizer = ["serial", "slow"]\nseeds = 3\n'
CLAIM = """[[claims]]
id = "c"
says = "s"
source = "x"
cells.a = { parallelizer = "slow" }
cells.b = { parallelizer = "serial" }
measure = "a.final_loss / b.final_loss"
holds = "<= 1"
"""

Read = Callable[[str], Suite]


@pytest.fixture
def read(registry: Registry) -> Read:
    return lambda text: parse(text, name="s", where="s.toml", registry=registry)


def test_every_combination_becomes_a_cell(read: Read) -> None:
    suite = read(
        HEAD
        + '[[matrix]]\nworkload = [{ name = "counting", upto = 3 }, { name = "counting", upto = 4, label = "four" }]\n'
        + 'parallelizer = ["serial", "slow"]\ndevice = ["cpu", "processes"]\nseeds = [3, 5]\n'
    )
    assert len(suite.cells) == 2 * 2 * 2 * 2
    assert {c.workload.label for c in suite.cells} == {"counting(upto=3)", "four"}
    assert "s/four/slow/processes/5" in {c.id for c in suite.cells}


def in_blocks(suite: Suite) -> list[list[CellSpec]]:
    return [list(block) for _, block in itertools.groupby(suite.cells, key=lambda cell: cell.block)]


def test_cells_that_differ_in_the_parallelizer_alone_share_a_block(read: Read) -> None:
    blocks = in_blocks(read(HEAD + MATRIX))
    assert [len(block) for block in blocks] == [2, 2, 2]
    assert all(len({c.seed for c in block}) == 1 for block in blocks)


def test_a_claim_over_devices_joins_their_cells_in_one_block(read: Read) -> None:
    matrix = '[[matrix]]\nworkload = "counting"\nparallelizer = "serial"\ndevice = ["cpu", "processes"]\nseeds = 2\n'
    apart = in_blocks(read(HEAD + matrix))
    claim = CLAIM.replace('parallelizer = "slow"', 'device = "cpu"').replace(
        'parallelizer = "serial"', 'device = "processes"'
    )
    joined = in_blocks(read(HEAD + matrix + claim))
    assert [len(block) for block in apart] == [1, 1, 1, 1]
    assert [len(block) for block in joined] == [2, 2]


def test_an_interpreter_that_cannot_be_run_is_refused(read: Read) -> None:
    with pytest.raises(HarnessError, match=r"matrix\[0\].python: no interpreter 'nowhere/python'"):
        read(HEAD + MATRIX + 'python = "nowhere/python"\n')


def test_amounts_have_units(read: Read) -> None:
    suite = read(HEAD + 'memory_limit = "2 GiB"\ntime_limit = "1.5 min"\n' + MATRIX)
    assert suite.cells[0].memory_limit == 2 * 2**30
    assert suite.cells[0].time_limit == 90


def test_quick_keeps_the_first_seeds_and_only_keeps_what_matches(read: Read) -> None:
    suite = read(HEAD + MATRIX)
    assert sorted({c.seed for c in suite.quick().cells}) == [0, 1]
    assert {c.parallelizer.label for c in suite.only("*slow*").cells} == {"slow"}
    with pytest.raises(HarnessError, match="no cell of s matches"):
        suite.only("nothing")


def test_a_component_that_is_not_available_is_skipped_with_its_reason(read: Read) -> None:
    suite = read(HEAD + MATRIX.replace("seeds", 'device = "absent"\nseeds'))
    assert all("no_such_module" in c.skip and "pip install no-such-module" in c.skip for c in suite.cells)


def test_a_qualified_name_whose_distribution_is_absent_is_skipped(read: Read) -> None:
    suite = read(HEAD + MATRIX.replace('"slow"', '"harness-nowhere:slow"'))
    skipped = [c for c in suite.cells if c.skip]
    assert {c.parallelizer.label for c in skipped} == {"slow"}
    assert "pip install harness-nowhere" in skipped[0].skip


WRONG = {
    "syntax": (HEAD + "[[matrix]\n", "not valid TOML"),
    "unknown key": (HEAD + "metric = 1\n" + MATRIX, "unknown key 'metric'; did you mean 'metrics'"),
    "unknown key in a matrix": (HEAD + MATRIX + "seed = 3\n", "unknown key 'matrix.0.seed'; did you mean 'seeds'"),
    "unknown workload": (
        HEAD + MATRIX.replace("counting", "countin"),
        "unknown workload 'countin'; did you mean 'counting'",
    ),
    "unknown metric": (HEAD.replace("final_loss", "fnal_loss") + MATRIX, "unknown metric 'fnal_loss'"),
    "unknown parameter": (
        HEAD + MATRIX.replace('"slow"', '{ name = "slow", second = 1 }'),
        "unknown key 'second'; did you mean 'seconds'",
    ),
    "wrong type": (HEAD + MATRIX.replace('"slow"', '{ name = "slow", seconds = "long" }'), "seconds"),
    "wrong unit": (HEAD + 'memory_limit = "2 gigs"\n' + MATRIX, "unknown unit 'gigs'"),
    "no matrix": (HEAD, "matrix is missing"),
    "empty matrix": (HEAD + "matrix = []\n", "matrix"),
    "empty list": (HEAD + MATRIX.replace('["serial", "slow"]', "[]"), "name at least one parallelizer"),
    "no seeds": (HEAD + MATRIX.replace("seeds = 3", "seeds = 0"), "seeds"),
    "claim names no cell": (HEAD + MATRIX + CLAIM.replace('"slow"', '"slw"'), "claims[0] (c)"),
    "formula does not parse": (HEAD + MATRIX + CLAIM.replace("a.final_loss /", "a.final_loss /*"), "claims[0] (c)"),
    "formula names no metric": (HEAD + MATRIX + CLAIM.replace("a.final_loss", "a.finl_loss"), "final_loss"),
    "condition does not parse": (HEAD + MATRIX + CLAIM.replace("<= 1", "=< 1"), "claims[0] (c)"),
    "target does not parse": (HEAD + 'budget = { target = "loss" }\n' + MATRIX, "budget"),
    "unfit pair": (HEAD + MATRIX.replace("counting", "other"), "which other is not"),
    "twins": (
        HEAD + MATRIX.replace('"slow"', '{ name = "slow", seconds = 1, label = "serial" }'),
        "two different cells are called",
    ),
    "date": (HEAD + MATRIX.replace('"slow"', '{ name = "slow", seconds = 2020-01-01 }'), "seconds"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line_with_file_and_place(case: str, read: Read) -> None:
    text, message = WRONG[case]
    with pytest.raises(HarnessError) as caught:
        read(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("s.toml: ")
    assert "\n" not in str(caught.value)


def test_an_unfit_pair_names_the_parallelizers_that_fit(read: Read) -> None:
    with pytest.raises(HarnessError, match="slow takes a Counting, which other is not; other has these: none"):
        read(HEAD + MATRIX.replace("counting", "other").replace('"serial", ', ""))


scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=8)
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=6), v, max_size=3))


def mutate(text: str, place: int, drop: int, insert: str) -> str:
    place %= len(text)
    return text[:place] + insert + text[place + drop :]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10_000), st.integers(0, 12), st.text(max_size=6))
def test_a_mutilated_suite_is_refused_or_read_never_a_traceback(read: Read, place: int, drop: int, insert: str) -> None:
    try:
        read(mutate(HEAD + MATRIX + CLAIM, place, drop, insert))
    except HarnessError as error:
        assert "\n" not in str(error)


def toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(toml(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml(str(k))} = {toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(c):08x}" if not 0xD800 <= ord(c) <= 0xDFFF else "?" for c in value) + '"'
    return "inf" if value is None else str(value)


KEYS = ["title", "metrics", "matrix", "claims", "budget", "time_limit", "memory_limit", "workload", "parallelizer"]
KEYS += ["device", "seeds", "python", "id", "says", "cells", "measure", "holds", "when", "each", "name", "label"]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(KEYS), values, max_size=6), st.sampled_from(["", "[[matrix]]\n", "[[claims]]\n"])
)
def test_any_toml_at_all_is_refused_or_read_never_a_traceback(read: Read, table: dict[str, object], head: str) -> None:
    text = head + "".join(f"{key} = {toml(value)}\n" for key, value in table.items())
    tomllib.loads(text)
    try:
        read(HEAD.replace("title", "title_") * ("title" not in table) + text)
    except HarnessError as error:
        assert "\n" not in str(error)


def test_a_suite_that_is_no_text_is_refused(tmp_path: Path, registry: Registry) -> None:
    from harness.suite import load

    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(HarnessError, match="cannot be read"):
        load(path, registry)
