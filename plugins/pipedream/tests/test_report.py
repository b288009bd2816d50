from __future__ import annotations

from pathlib import Path

import pytest

from harness import TraceWriter
from harness.records import CellSpec, ComponentSpec
from harness.store import Run, RunRecord, SuiteRecord
from harness.tracefile import merge
from harness_pipedream.planning.explain import explain
from harness_pipedream.planning.levels import Level
from harness_pipedream.planning.plan import Plan, Stage
from harness_pipedream.profiling.profile import Layer, Profile
from harness_pipedream.report import plans, sections

HOSTILE = '<script>alert("x")</script>'
PROFILE = Profile.chain(
    (Layer(HOSTILE, 0.01, 0.02, 4000, 800), Layer("middle", 0.02, 0.04, 400, 80), Layer("end", 0, 0, 4, 0))
)
PLAN = Plan((Stage((0,), 2), Stage((1, 2), 1)))


def promised() -> dict:
    return explain(PLAN, PROFILE, [Level(3, 1e6)]).to_json()


def bare(plan: Plan) -> dict:
    return {"plan": plan.to_json(), "config": str(plan), "workers": plan.workers, "noam": plan.noam}


def run_of(folder: Path, facts: list[dict | None]) -> Run:
    """A run with a cell for each fact, seeds counting from 0; ``None`` leaves no trace."""
    parts = {kind: ComponentSpec(name=kind, label=f"{kind} <b>") for kind in ("workload", "parallelizer", "device")}
    cells = [CellSpec(id=f"s/{seed}", suite="s", block="s", seed=seed, **parts) for seed in range(len(facts))]
    suite = SuiteRecord(name="s", title="s", text="", claims=())
    run = Run.create(folder / "run", RunRecord(created="today", suites=(suite,), cells=tuple(cells), environment={}))
    for cell, fact in zip(cells, facts, strict=True):
        if fact is not None:
            place = run.clear(cell)
            trace = TraceWriter(folder=place)
            trace.fact("plan", fact)
            trace.value("loss", 1.0)
            trace.close()
            merge(place)
    return run


def test_the_section_shows_stages_replicas_times_bottleneck_and_noam(tmp_path: Path) -> None:
    ((title, html),) = sections(run_of(tmp_path, [promised()]))
    assert title == "Pipelines"
    assert "replicated pipeline on 3 workers, NOAM 2" in html
    assert "predicted 60 ms a minibatch; held up by stage 1" in html
    assert html.count("<tr>") == 1 + 2
    # 30 ms over two replicas; one boundary of 4,000 bytes both ways at 1 MB/s.
    assert "<td>0, 1</td><td>2</td><td>15</td><td>15</td>" in html
    assert "<td>1 to 2 (middle to end)</td><td>2</td><td>1</td><td>60</td><td>60</td><td>0</td><td>8</td>" in html
    assert "<td>compute</td>" in html


def test_everything_is_escaped(tmp_path: Path) -> None:
    ((_, html),) = sections(run_of(tmp_path, [promised()]))
    assert HOSTILE not in html
    assert "&lt;script&gt;" in html
    assert "<b>" not in html


def test_a_plan_without_a_prediction_has_dashes(tmp_path: Path) -> None:
    ((_, html),) = sections(run_of(tmp_path, [bare(PLAN)]))
    assert "NOAM 2." in html
    assert "predicted 60" not in html
    assert "<td>1 to 2</td><td>2</td><td>1</td><td>-</td>" in html


def test_seeds_with_one_plan_share_a_table_and_others_have_their_own(tmp_path: Path) -> None:
    other = Plan((Stage((0, 1), 2), Stage((2,), 1)))
    found = plans(run_of(tmp_path, [promised(), None, bare(PLAN), bare(other)]))
    assert [(planned.plan.stages, planned.seeds) for planned in found] == [(PLAN.stages, [0, 2]), (other.stages, [3])]


@pytest.mark.parametrize("fact", [None, {"plan": "by train"}, {"steps": 3}, {"plan": {"stages": [{"layers": "x"}]}}])
def test_a_run_without_plans_has_no_section(tmp_path: Path, fact: dict | None) -> None:
    assert sections(run_of(tmp_path, [fact])) == []
