"""The parallelizers as the harness runs them: passes, budgets, and what each does to the loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from running import ADAGRAD, SGD, FewTrees, losses

from harness import devices
from harness.parallelizers.serial import SerialRun
from harness.registry import load
from harness.suite import load as load_suite
from harness.testing import run_job
from harness_orion.parallelizers import (
    PARALLELIZERS,
    CompiledSerial,
    DataParallel,
    LoopParallelizer,
    Manual,
    Orion,
)
from harness_orion.parallelizers.manual import divide, part_of
from harness_orion.parallelizers.stale import divided
from harness_orion.parallelizers.turns import Serial
from harness_orion.running.packing import pack
from harness_orion.space import Entries
from harness_orion.workloads import GaussSeidel, LdaGibbs, SparseLogistic

SUITE = Path(__file__).parents[1] / "src" / "harness_orion" / "suites" / "orion.toml"
WAYS = (CompiledSerial(), DataParallel(combine="mean"), Manual(), Orion())


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "data"))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
@pytest.mark.parametrize("workload", [SGD, ADAGRAD], ids=lambda workload: workload.name)
def test_a_pass_updates_every_rating_and_is_evaluated(way, workload, tmp_path: Path) -> None:
    trace = run_job(way, workload, tmp_path / "run", epochs=3)
    assert trace.counts("updates").value.tolist() == [2700.0] * 3
    assert trace.values("rmse").step.tolist() == [1, 2, 3]
    assert len(trace.spans("pass")) == 3
    assert losses(trace)[-1] < losses(trace)[0]


@pytest.mark.parametrize("workload", [SGD, ADAGRAD], ids=lambda workload: workload.name)
def test_compiled_in_its_own_order_the_loss_is_that_of_plain_python(workload, tmp_path: Path) -> None:
    compiled = run_job(CompiledSerial(), workload, tmp_path / "compiled", epochs=2)
    plain = run_job(SerialRun(), workload, tmp_path / "plain", epochs=2)
    assert losses(compiled) == pytest.approx(losses(plain), rel=1e-4)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_equal_seeds_give_equal_losses_and_others_do_not(way, tmp_path: Path) -> None:
    one, two, other = (
        losses(run_job(way, SGD, tmp_path / n, seed=s, epochs=2)) for n, s in (("1", 3), ("2", 3), ("3", 4))
    )
    assert one == two
    assert one != other


def test_a_target_ends_the_passes(tmp_path: Path) -> None:
    found = losses(run_job(Orion(), SGD, tmp_path / "run", target="loss <= 1.5", epochs=50))
    assert found[-1] <= 1.5
    assert all(loss > 1.5 for loss in found[:-1])


def test_evaluation_may_be_rarer_than_passes_and_ends_the_run(tmp_path: Path) -> None:
    rare = SGD.model_copy(update={"evaluate_every": 3})
    trace = run_job(Orion(), rare, tmp_path / "run", epochs=5)
    assert trace.values("loss").step.tolist() == [3, 5]


def test_one_data_parallel_worker_is_the_serial_run(tmp_path: Path) -> None:
    for number, clocks in enumerate((1, 3)):
        alone = DataParallel(workers=1, clocks=clocks)
        found = losses(run_job(alone, SGD, tmp_path / f"alone{number}", epochs=3))
        assert found == pytest.approx(
            losses(run_job(CompiledSerial(), SGD, tmp_path / f"serial{number}", epochs=3)), rel=1e-5
        )


def test_stale_changes_arrive_so_many_clocks_later(tmp_path: Path) -> None:
    late = losses(run_job(DataParallel(combine="mean", staleness=2), SGD, tmp_path / "late", epochs=4))
    assert late[0] == late[1], "no change has reached the arrays yet"
    assert late[2] == pytest.approx(losses(run_job(DataParallel(combine="mean"), SGD, tmp_path / "soon", epochs=1))[0])


def test_data_parallel_workers_share_no_row_and_lose_no_entry() -> None:
    rng = np.random.default_rng(0)
    space = Entries.of([rng.integers(0, 30, 500), rng.integers(0, 9, 500)], rng.random(500), shape=(30, 9))
    parts = divided(pack(space, rng.permutation(500)), 4)
    rows = [set(space.indices[0][part]) for part in parts]
    assert sorted(np.concatenate(parts)) == list(range(500))
    assert sum(map(len, rows)) == len(set.union(*rows))


def test_the_blocks_of_one_clock_of_the_manual_rotation_share_neither_rows_nor_columns() -> None:
    space, workers = SGD.loop(0).space, 3
    layout = divide(space, SGD.arrays(0), workers, seed=0)
    begins = [0, *layout.ends[:-1]]
    blocks = [slice(a, b) for a, b in zip(begins, layout.ends, strict=True)]
    assert layout.ends[-1] == len(space)
    for clock in range(workers):
        mine = [blocks[w * workers + (clock + w) % workers] for w in range(workers)]
        for index in (layout.rows, layout.columns):
            seen = [set(index[block]) for block in mine]
            assert sum(map(len, seen)) == len(set.union(*seen))


def test_parts_have_about_equal_numbers_of_entries() -> None:
    index = np.repeat(np.arange(10), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    sizes = np.bincount(part_of(index, 10, 3))
    assert (np.diff(part_of(index, 10, 3)) >= 0).all()
    assert max(sizes) - min(sizes) <= 10


def test_what_a_way_cannot_do_is_refused() -> None:
    cpu = devices.Cpu()
    assert "ordered" in DataParallel().refuses(GaussSeidel(), cpu)
    assert "by hand" in Manual().refuses(SparseLogistic(), cpu)
    assert not Manual().refuses(LdaGibbs(), cpu)
    assert "real clock" in Orion().refuses(SGD, load().component("device", "simulated")())


def test_serial_programs_take_their_turn_after_each_pass_and_change_nothing(tmp_path: Path) -> None:
    plain = run_job(Orion(), ADAGRAD, tmp_path / "plain", epochs=3)
    beside = run_job(Orion(in_turn=True), ADAGRAD, tmp_path / "threads", epochs=3)
    assert losses(beside) == losses(plain)
    assert [beside.spans(name).step.tolist() for name in ("pass", "serial", "serials")] == [[0, 1, 2]] * 3
    assert beside.fact("turns") == {"programs": 2}
    assert len(beside.at_work(beside.spans("serials"))) == 0


def test_on_ranks_one_serial_program_runs_alone_and_one_on_each_rank_at_once(tmp_path: Path) -> None:
    beside = run_job(Orion(in_turn=True), SGD, tmp_path / "ranks", device=devices.Processes(), epochs=2)
    assert beside.spans("serial").worker.tolist() == [0, 0]
    both = beside.spans("serials")
    assert sorted(zip(both.step.tolist(), both.worker.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert beside.fact("turns") == {"programs": 2}


def test_a_program_that_takes_its_turn_is_the_compiled_serial_one(tmp_path: Path) -> None:
    compiled = losses(run_job(CompiledSerial(), ADAGRAD, tmp_path / "compiled", epochs=3))
    found: list[float] = []

    class InTurn(LoopParallelizer):
        name = "in-turn"

        def run(self, job):
            program = Serial(job)
            for _ in range(3):
                program.run()
                found.append(job.workload.score(program._arrays, job.seed)["loss"])

    run_job(InTurn(), ADAGRAD, tmp_path / "turns", epochs=3)
    assert found == compiled


def test_trees_that_grow_between_passes_are_the_same_on_threads_processes_and_serially(tmp_path: Path) -> None:
    trees = FewTrees(depth=3, evaluate_every=3)
    plain = losses(run_job(SerialRun(), trees, tmp_path / "plain", epochs=9))
    assert losses(run_job(Orion(), trees, tmp_path / "threads", epochs=9)) == plain
    apart = run_job(Orion(workers=3), trees, tmp_path / "apart", device=devices.Processes(), epochs=9)
    assert losses(apart) == plain
    assert apart.total("updates") == 9 * trees.updates
    assert plain[2] < plain[1] < plain[0]


def test_two_processes_come_to_the_losses_of_a_serial_run_in_another_order(tmp_path: Path) -> None:
    for workload in (SGD, ADAGRAD.model_copy(update={"evaluate_every": 2})):
        apart = run_job(Orion(), workload, tmp_path / workload.name, device=devices.Processes(), epochs=3)
        alone = run_job(CompiledSerial(), workload, tmp_path / f"{workload.name}-alone", epochs=3)
        assert apart.values("loss").step.tolist() == alone.values("loss").step.tolist()
        assert apart.total("updates") == alone.total("updates")
        assert losses(apart)[-1] == pytest.approx(losses(alone)[-1], rel=0.1)


def test_every_way_is_registered_and_the_suite_is_small_enough_for_every_day() -> None:
    registered = load()
    for way in PARALLELIZERS:
        assert registered.component("parallelizer", way.name) is way
    suite = load_suite(SUITE, registered)
    assert len(suite.cells) <= 300
