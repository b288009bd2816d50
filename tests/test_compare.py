from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import gmean

from harness.compare import Change, compare
from harness.errors import HarnessError
from harness.registry import Registry
from tests.conftest import Harness

SECONDS = [1.0, 1.1, 0.9, 1.2, 1.05, 0.95, 1.0]


def saved(path: Path, samples: list[float | None], **changes: Any) -> Path:
    """What pytest-benchmark would have saved of one group of cells, and of a test that is none of ours."""
    metric = {"unit": "seconds", "better": "lower", "exact": False, "median": 1.0, "samples": samples, "unreached": 0}
    group = {
        "suite": "u",
        "workload": "w",
        "parallelizer": "p",
        "device": "d",
        "seeds": list(range(len(samples))),
        "metrics": {"time": {**metric, **changes}},
    }
    benchmarks = [{"name": "w/p/d", "extra_info": group}, {"name": "a_stranger", "extra_info": {}}]
    path.write_text(json.dumps({"benchmarks": benchmarks}))
    return path


def changed(tmp_path: Path, registry: Registry, new: list[float | None], **changes: Any) -> Change:
    old = saved(tmp_path / "a.json", list(SECONDS), **changes)
    (change,) = compare(old, saved(tmp_path / "b.json", new, **changes), registry)
    return change


def test_the_ratio_is_the_median_of_the_pairs_ratios(tmp_path: Path, registry: Registry) -> None:
    factors = np.array([1.3, 1.25, 1.4, 1.35, 1.2, 1.5, 1.3])
    change = changed(tmp_path, registry, list(np.array(SECONDS) * factors))
    assert math.isclose(change.ratio, float(np.median(factors)))
    assert min(factors) <= change.low <= float(gmean(factors)) <= change.high <= max(factors)
    assert (change.cells, change.metric, change.pairs, change.verdict) == ("u/w/p/d", "time", 7, "worse")
    assert math.isclose(change.percent_worse, 30)


def test_more_is_better_where_the_metric_says_so(tmp_path: Path, registry: Registry) -> None:
    change = changed(tmp_path, registry, [2 * value for value in SECONDS], better="higher")
    assert change.verdict == "better"
    assert math.isclose(change.percent_worse, -50)


def test_few_pairs_are_unclear_unless_the_metric_is_exact(tmp_path: Path, registry: Registry) -> None:
    few: list[float | None] = [2.0, 2.2, None, None, None, None, None]
    assert changed(tmp_path, registry, few).verdict == "unclear"
    assert changed(tmp_path, registry, few, exact=True).verdict == "worse"
    assert changed(tmp_path, registry, few).pairs == 2


def test_equal_samples_are_the_same(tmp_path: Path, registry: Registry) -> None:
    assert changed(tmp_path, registry, list(SECONDS)).verdict == "same"


@pytest.mark.parametrize("text", ["", "[]", '{"benchmarks": 3}', '{"benchmarks": [{"name": "x"}]}', '{"a": 1}'])
def test_another_file_is_refused_in_one_line(tmp_path: Path, registry: Registry, text: str) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(HarnessError, match=r"other\.json: is no file of pytest-benchmark"):
        compare(tmp_path / "other.json", tmp_path / "other.json", registry)


def test_benchmarks_without_a_suite_are_refused(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "a.json").write_text('{"benchmarks": [{"name": "x", "extra_info": {}}]}')
    with pytest.raises(HarnessError, match=r"holds no benchmark of a suite"):
        compare(tmp_path / "a.json", tmp_path / "a.json", registry)


def test_nothing_in_common_is_an_error(tmp_path: Path, registry: Registry) -> None:
    old, new = saved(tmp_path / "a.json", [1.0]), saved(tmp_path / "b.json", [None])
    with pytest.raises(HarnessError, match="no measured cell in common"):
        compare(old, new, registry)


def test_a_run_compares_with_a_file_of_the_same_suite(harness: Harness, suite: Path, tmp_path: Path) -> None:
    assert harness("run", suite.name, "-o", "one").returncode == 0
    results = [json.loads(path.read_text()) for path in sorted((tmp_path / "one" / "cells").glob("*/result.json"))]
    serial = [r["metrics"]["sum_of_losses"] for r in results if r["cell"]["parallelizer"]["name"] == "serial"]
    path = saved(tmp_path / "b.json", [2 * loss for loss in serial], exact=True)
    text = path.read_text()
    for old, new in (('"u"', '"counting"'), ('"w"', '"counting"'), ('"p"', '"serial"'), ('"d"', '"cpu"')):
        text = text.replace(old, new)
    path.write_text(text.replace('"time"', '"sum_of_losses"'))
    done = harness("compare", "one", "b.json", "--json", "--fail-above", "50")
    assert done.returncode == 1
    (change,) = json.loads(done.stdout)
    assert (change["cells"], change["ratio"]) == ("counting/counting/serial/cpu", 2)
