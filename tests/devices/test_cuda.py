import importlib.util
from functools import partial

import pytest
import torch
from device_support import bytes_sent, events, launch

from harness.devices import Cuda

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


def test_without_torch_it_says_what_brings_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    availability = Cuda().availability()
    assert not availability.ok
    assert str(availability) == "cuda needs torch; pip install 'paper-harness[torch]'"


def test_without_a_gpu_it_is_not_available(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    availability = Cuda().availability()
    assert not availability.ok
    assert "needs an NVIDIA GPU" in availability.reason


@pytest.mark.parametrize(
    ("backend", "workers", "gpus", "chosen"),
    [("auto", 2, 2, "nccl"), ("auto", 3, 2, "gloo"), ("gloo", 2, 2, "gloo"), ("nccl", 3, 2, "nccl")],
)
def test_nccl_reduces_where_each_worker_has_a_gpu_of_its_own(backend, workers, gpus, chosen):
    assert Cuda(backend=backend)._backend(workers, gpus) == chosen


def multiply(size, worker):
    matrix = torch.ones(size, size, device=worker.torch_device)
    with worker.work("multiply"):
        product = matrix @ matrix
    total = worker.comm.all_reduce(product)
    worker.comm.send(total, (worker.rank + 1) % worker.size)
    received = worker.comm.receive((worker.rank - 1) % worker.size)
    return total.device.type, received.device.type, float(received.sum())


@needs_gpu
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_compute_and_meet_on_their_gpus(workers, tmp_path):
    results = launch(Cuda(), partial(multiply, 256), workers, tmp_path)
    assert results == [("cuda", "cuda", workers * 256.0**3)] * workers
    for rank in range(workers):
        (peak,) = (value for *_, value in events(tmp_path, rank, "device_memory_peak"))
        assert peak >= 2 * 256 * 256 * 4
        reduced = 2 * (workers - 1) * 256 * 256 * 4 // workers
        assert sum(bytes_sent(tmp_path, rank).values()) == reduced + 256 * 256 * 4
