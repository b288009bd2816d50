"""The parallelizers as the harness runs them: budgets, seeds, facts, tuned step sizes, and the suite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness import Budget, Job, TraceWriter, devices
from harness.registry import load
from harness.suite import load as load_suite
from harness.tracefile import Trace, merge
from harness_strsaga.parallelizers import PARALLELIZERS, Dynasaga, Sgd, StreamParallelizer, Strsaga
from harness_strsaga.tuning import GRID, SEEDS, score
from harness_strsaga.workloads import AdultStream, MovielensStream

SMALL = AdultStream(points=2_000, steps=20, evaluations=5)


def run(method: StreamParallelizer, folder: Path, *, seed: int = 0, budget: Budget | None = None) -> Trace:
    folder.mkdir()
    trace = TraceWriter(folder)
    job = Job(SMALL, devices.Cpu(), budget or Budget(), seed, trace, folder)
    with trace.span("prepare"):
        method.prepare(job)
    method.run(job)
    trace.close()
    return Trace.read(merge(folder))


@pytest.mark.parametrize("cls", PARALLELIZERS, ids=lambda cls: cls.name)
def test_a_run_spends_rho_gradients_an_arrival_and_evaluates_where_it_should(cls: type, tmp_path: Path) -> None:
    trace = run(cls(rate="paper"), tmp_path / "run")
    stream = SMALL.stream(0)
    advances, rho = trace.spans("advance"), SMALL.rho(stream)
    online = [rho] * 20 if not cls.offline else [rho * (step + 1) for step in (3, 7, 11, 15, 19)]
    assert advances.value.tolist() == [g for g, a in zip(online, stream.arrived, strict=False) if a or cls.offline]
    assert trace.total("gradients") == sum(online)
    assert trace.values("risk").step.tolist() == [3, 7, 11, 15, 19]
    assert (trace.values("suboptimality").value > -1e-12).all()


def test_equal_seeds_give_equal_events_and_others_do_not(tmp_path: Path) -> None:
    one, two, other = (run(Strsaga(rate=0.01), tmp_path / n, seed=s) for n, s in [("1", 3), ("2", 3), ("3", 4)])
    for name in ("risk", "suboptimality"):
        assert one.values(name).value.tolist() == two.values(name).value.tolist()
        assert one.values(name).value.tolist() != other.values(name).value.tolist()


def test_a_budget_of_steps_ends_the_stream(tmp_path: Path) -> None:
    trace = run(Strsaga(rate=0.01), tmp_path / "run", budget=Budget(steps=7))
    assert trace.spans("advance").step.tolist() == list(range(7))


def test_a_target_ends_the_stream(tmp_path: Path) -> None:
    trace = run(Strsaga(rate=0.01), tmp_path / "run", budget=Budget(target="risk <= 0.6"))
    risks = trace.values("risk").value
    assert risks[-1] <= 0.6
    assert (risks[:-1] > 0.6).all()


@pytest.mark.parametrize("method", [Strsaga(), Sgd(), Dynasaga()], ids=lambda m: m.name)
def test_the_tuned_step_size_is_the_grids_best_on_seeds_that_are_not_reported(
    method: Strsaga, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    _link_data(tmp_path)
    tuned = method.step_size(SMALL)
    scores = {
        float(r): np.mean([score(method, SMALL, float(r), seed) for seed in SEEDS]) for r in GRID * SMALL.paper_rate
    }
    assert scores[tuned] == min(scores.values())
    assert min(SEEDS) > 1000, "suites number their seeds from 0"


def _link_data(folder: Path) -> None:
    """An empty cache of derived arrays beside the data sets that are there already."""
    from harness.datasets import ADULT

    source = Path.home() / ".cache" / "paper-harness" / "adult"
    if source.exists():
        (folder / ADULT.name).symlink_to(source)


def test_a_factorization_has_no_suboptimality_but_a_risk(tmp_path: Path) -> None:
    workload = MovielensStream(points=3_000, steps=10, evaluations=2)
    trace = TraceWriter(tmp_path)
    job = Job(workload, devices.Cpu(), Budget(), 0, trace, tmp_path)
    workload.serial(job)
    trace.close()
    read = Trace.read(merge(tmp_path))
    assert len(read.values("suboptimality")) == 0
    assert len(read.values("risk")) == 2


def test_a_step_size_of_one_over_mu_or_more_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rate: must be below"):
        run(Strsaga(rate=1e4), tmp_path / "run")


def test_the_suite_is_small_enough_for_every_day() -> None:
    (path,) = (offer.thing for offer in load().of_kind("suite") if offer.name == "strsaga")
    suite = load_suite(path, load())
    assert len(suite.cells) <= 350
    assert {c.seed for c in suite.cells} == set(range(8))
