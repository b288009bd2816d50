"""Pipelines without numerics: bytes on threads, and time on a simulated machine, against closed forms."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pipelines import Chain, job_of, read

from harness import Budget, HarnessError, Trace, devices
from harness_pipedream.parallelizers import GPipe, ModelParallel, Pipedream, PipelineParallelizer
from harness_pipedream.profiling.profile import Layer, Profile
from harness_pipedream.profiling.published import PublishedProfile
from harness_pipedream.running.preparing import divided, levels_of

FORWARD, BACKWARD, ACTIVATION, PARAMETERS = 0.25, 0.75, 1000, 4000
STRAIGHT = tuple({"layers": 1} for _ in range(4))


@pytest.fixture
def profiled(tmp_path: Path) -> Any:
    layers = tuple(Layer(f"layer{i}", FORWARD, BACKWARD, ACTIVATION, PARAMETERS) for i in range(4))
    Profile.chain(layers, batch_size=8).write(tmp_path / "profile.json")
    return PublishedProfile(profile=str(tmp_path / "profile.json"))


class Sizes(devices.Cpu):
    """Threads that are asked for no numerics."""

    numerics: bool = False


def run(method: PipelineParallelizer, workload: Any, device: Any, folder: Path, steps: int) -> Trace:
    job = job_of(workload, folder, Budget(steps=steps), device=device)
    method.prepare(job)
    method.run(job)
    return read(job)


def test_bytes_are_activations_and_gradients_at_each_boundary(profiled: Any, tmp_path: Path) -> None:
    trace = run(Pipedream(workers=4, plan=STRAIGHT), profiled, Sizes(), tmp_path / "run", 5)
    assert trace.total("bytes_sent") == 5 * 3 * 2 * ACTIVATION
    assert trace.total("samples") == 40


def test_replicas_send_what_a_ring_takes_once_a_round(profiled: Any, tmp_path: Path) -> None:
    plan = ({"layers": 3, "replicas": 2}, {"layers": 1})
    trace = run(Pipedream(workers=3, plan=plan), profiled, Sizes(), tmp_path / "run", 6)
    ring = 2 * 3 * PARAMETERS  # 2 (m - 1) of the stage's gradients on the link, m = 2
    assert trace.total("bytes_sent") == 6 * 2 * ACTIVATION + 3 * ring


@pytest.mark.parametrize(
    ("method", "seconds"),
    [
        (Pipedream(workers=4, plan=STRAIGHT), (20 + 3) * 1.0),
        (Pipedream(workers=4, plan=STRAIGHT, recompute=True), (20 + 3) * 1.25),
        (GPipe(workers=4, plan=STRAIGHT, microbatches=4), 20 * (4 + 3) / 4),
        (GPipe(workers=4, plan=STRAIGHT, microbatches=4, alternating=True), 20 * (4 + 3) / 4),
        (ModelParallel(workers=4, plan=STRAIGHT), 20 * 4.0),
        (Pipedream(workers=1, plan=({"layers": 4},)), 20 * 4.0),
        (Pipedream(workers=4, plan="data-parallel"), 20 / 4 * 4.0),
    ],
    ids=["pipedream", "recompute", "gpipe", "1f1b-flush", "model-parallel", "one", "data-parallel"],
)
def test_time_on_fast_links_is_the_schedules(
    method: PipelineParallelizer, seconds: float, profiled: Any, tmp_path: Path
) -> None:
    links = pytest.importorskip("harness_links.simulated", reason="the device 'simulated' is harness-links'")
    device = links.Simulated(levels=({"workers": 4, "bandwidth": "1000 GB/s"},))
    trace = run(method, profiled, device, tmp_path / "run", 20)
    assert trace.wall_seconds == pytest.approx(seconds, rel=1e-4)


def test_a_slow_boundary_sets_the_pace(profiled: Any, tmp_path: Path) -> None:
    links = pytest.importorskip("harness_links.simulated", reason="the device 'simulated' is harness-links'")
    device = links.Simulated(levels=({"workers": 4, "bandwidth": ACTIVATION / 3},))
    pace = {}
    for depth in (2, 4):
        method = Pipedream(plan=({"layers": 2}, {"layers": 2}), depth=depth)
        trace = run(method, profiled, device, tmp_path / str(depth), 200)
        ends = trace.spans("backward", worker=0).end
        pace[depth] = (ends[150] - ends[50]) / 100
    computing, transfer = 4 * (FORWARD + BACKWARD), 3.0
    assert pace[2] == pytest.approx((computing + 2 * transfer) / 2, rel=1e-3), "two share a round trip"
    assert pace[4] == pytest.approx(transfer, rel=1e-3), "enough in flight keep both directions busy"


def test_a_device_that_computes_does_not_run_a_profile() -> None:
    assert "only the device 'simulated'" in Pipedream().refuses(PublishedProfile(), devices.Processes())


def test_a_profile_has_no_epochs(profiled: Any, tmp_path: Path) -> None:
    job = job_of(profiled, tmp_path / "run", Budget(epochs=1), device=Sizes())
    method = Pipedream(workers=4, plan=STRAIGHT)
    with pytest.raises(HarnessError, match="give a budget of steps"):
        method.run(job)


def test_levels_are_cut_to_the_workers_that_are_used() -> None:
    class Linked(devices.Cpu):
        def links(self) -> Any:
            rates = (9.0, 2.0)
            return SimpleNamespace(levels=[SimpleNamespace(workers=4, bytes_per_second=rate) for rate in rates])

    def cut(workers: int) -> list[tuple[int, float]]:
        return [(level.workers, level.bytes_per_second) for level in levels_of(Linked(), workers, 1.0)]

    assert cut(16) == [(4, 9.0), (4, 2.0)]
    assert cut(8) == [(4, 9.0), (2, 2.0)]
    assert cut(4) == [(4, 9.0)]
    assert cut(3) == [(3, 9.0)]
    assert cut(6) == [(6, 2.0)]
    with pytest.raises(HarnessError, match="20 workers"):
        cut(20)
    assert levels_of(devices.Cpu(), 3, 5.0)[0].bytes_per_second == 5.0


def test_cuts_between_stages_of_given_replicas_are_the_best() -> None:
    times = [3.0, 1.0, 1.0, 1.0, 2.0]
    profile = Profile.chain(tuple(Layer(str(i), t, 0.0, 0, 0) for i, t in enumerate(times)))
    plan = divided(profile, (1, 1), 1.0)
    assert [stage.layers for stage in plan.stages] == [(0, 1), (2, 3, 4)]
    assert plan.seconds == 4.0
    assert [len(stage.layers) for stage in divided(profile, (3, 1), 1.0).stages] == [4, 1]
    with pytest.raises(HarnessError, match="6 stages for 5 layers"):
        divided(profile, (1,) * 6, 1.0)


def test_a_chain_needs_no_profile_where_it_is_computed(tmp_path: Path) -> None:
    job = job_of(Chain(), tmp_path / "run", Budget(steps=3))
    method = Pipedream(plan=({"layers": 2}, {"layers": 4}))
    method.prepare(job)
    method.run(job)
    assert read(job).fact("plan")["config"] == "1-1"


@pytest.mark.parametrize("summing", [0.5, 1.0])
def test_replicas_sum_beside_the_backward_pass(summing: float, tmp_path: Path) -> None:
    links = pytest.importorskip("harness_links.simulated", reason="the device 'simulated' is harness-links'")
    size = 2**22  # a bucket a layer, each of which takes a ring of two so many seconds
    layers = tuple(Layer(f"layer{i}", FORWARD, BACKWARD, ACTIVATION, size) for i in range(4))
    Profile.chain(layers, batch_size=8).write(tmp_path / "profile.json")
    device = links.Simulated(levels=({"workers": 2, "bandwidth": size / summing},))
    method = Pipedream(workers=2, plan="data-parallel")
    trace = run(method, PublishedProfile(profile=str(tmp_path / "profile.json")), device, tmp_path / "run", 20)
    hidden = 4 * BACKWARD + summing  # only the first layer's sum comes after the backward pass
    held_up = BACKWARD + 4 * summing  # one sum after another from the last layer's gradient on
    assert trace.wall_seconds == pytest.approx(10 * (4 * FORWARD + max(hidden, held_up)), rel=1e-3)
