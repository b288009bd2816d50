"""Data parallelism against the serial run, and its bytes against the ring's closed form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.components import Device, Parallelizer
from harness.devices import Cpu, Processes
from harness.devices.running import WorkerFailed
from harness.metrics.resources import BytesSent
from harness.parallelizers.averaging import buckets
from harness.parallelizers.ddp import Ddp
from harness.parallelizers.serial import SerialRun
from harness.testing import run_job
from harness.tracefile import Trace
from harness.workloads.census import CensusMlp

torch = pytest.importorskip("torch", reason="needs the extra torch")

CENSUS = CensusMlp(batch_size=96, hidden=8, evaluations=54)
PARAMETERS = sum(p.numel() for p in CENSUS.model().parameters())


def losses(trace: Trace) -> list[float]:
    return trace.values("loss").value.tolist()


STEPS = 20
WAYS: list[tuple[Ddp, Device]] = [
    (Ddp(workers=1), Cpu()),
    (Ddp(workers=2), Cpu()),
    (Ddp(workers=3, bucket=2000), Cpu()),
    (Ddp(workers=2, bucket=2000, backend="communicator"), Processes()),
    (Ddp(workers=2, bucket=2000), Processes()),
]


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    return run_job(SerialRun(), CENSUS, tmp_path_factory.mktemp("serial"), steps=STEPS)


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: f"{way[0].workers}-{way[0].backend}-{way[1].name}")
def divided(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ddp, Trace]:
    way, device = request.param
    return way, run_job(way, CENSUS, tmp_path_factory.mktemp("ddp"), device=device, steps=STEPS)


def test_losses_equal_those_of_the_serial_run(serial: Trace, divided: tuple[Ddp, Trace]) -> None:
    assert len(losses(serial)) >= 3
    assert losses(divided[1]) == pytest.approx(losses(serial), abs=1e-6)
    assert divided[1].total("samples") == serial.total("samples") == STEPS * CENSUS.batch_size


def test_bytes_are_those_of_a_ring_and_evaluation_sends_none_that_count(divided: tuple[Ddp, Trace]) -> None:
    way, trace = divided
    assert (BytesSent().measure(trace) or 0) == STEPS * 2 * (way.workers - 1) * 4 * PARAMETERS


def test_every_worker_records_what_it_does_for_each_step(divided: tuple[Ddp, Trace]) -> None:
    way, trace = divided
    for worker in range(way.workers):
        for name in ("forward", "backward", "update"):
            assert trace.spans(name, worker=worker).step.tolist() == list(range(STEPS))
        averaged = set(range(STEPS)) if way.workers > 1 else set()
        assert set(trace.spans("all_reduce", worker=worker).step.tolist()) == averaged
        assert trace.counts("samples", worker=worker).value.sum() == STEPS * CENSUS.batch_size / way.workers


def test_all_workers_stop_at_a_target_that_one_of_them_sees(tmp_path: Path) -> None:
    trace = run_job(Ddp(), CENSUS, tmp_path, epochs=20, target="accuracy >= 0.8")
    accuracies = trace.values("accuracy").value
    assert accuracies[-1] >= 0.8
    assert (accuracies[:-1] < 0.8).all()
    assert len({trace.spans("update", worker=worker).step.max() for worker in (0, 1)}) == 1


def test_all_workers_stop_after_the_same_step_when_time_is_up(tmp_path: Path) -> None:
    trace = run_job(Ddp(workers=3), CENSUS, tmp_path, seconds=0.5)
    steps = {int(trace.spans("update", worker=worker).step.max()) for worker in (0, 1, 2)}
    assert len(steps) == 1
    assert trace.values("loss").step[-1] == steps.pop() + 1


def test_a_fraction_of_an_epoch_takes_as_many_steps_as_the_serial_run(tmp_path: Path) -> None:
    for number, epochs in enumerate((0.05, 7 / 271, 0.1)):
        folders = (tmp_path / f"{name}-{number}" for name in ("serial", "ddp"))
        ways: list[Parallelizer[Any]] = [SerialRun(), Ddp()]
        runs = [run_job(way, CENSUS, folder, epochs=epochs) for way, folder in zip(ways, folders, strict=True)]
        taken = {run.total("samples") for run in runs}
        assert len(taken) == 1


def test_a_minibatch_that_does_not_divide_is_refused() -> None:
    assert Ddp(workers=5).refuses(CENSUS, Cpu()) == "a minibatch of 96 samples is no multiple of 5 workers"
    assert Ddp(workers=4).refuses(CENSUS, Cpu()) == ""


def test_torch_is_refused_where_workers_share_a_process(tmp_path: Path) -> None:
    with pytest.raises(WorkerFailed, match="ask for the backend communicator"):
        run_job(Ddp(backend="torch"), CENSUS, tmp_path, steps=1)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(1, 300))
def test_buckets_hold_every_parameter_once_from_the_last_to_the_first(sizes: list[int], most: int) -> None:
    parameters = [torch.nn.Parameter(torch.zeros(size)) for size in sizes]
    found = buckets(parameters, most)
    assert [id(p) for bucket in found for p in bucket] == [id(p) for p in reversed(parameters)]
    held = [sum(p.nbytes for p in bucket) for bucket in found]
    assert all(size >= most for size in held[:-1])
    assert all(size - bucket[-1].nbytes < most for size, bucket in zip(held, found, strict=True))
