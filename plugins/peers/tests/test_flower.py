"""Flower's FedAvg is SkewScout's: the same losses and bytes, round after round."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("harness_skewscout", reason="needs the extra flower")
pytest.importorskip("torch", reason="needs the extra flower")

from harness import devices
from harness_peers.flower import FlowerFedAvg

FLOWER = all(find_spec(module) for module in ("flwr", "ray"))
needs_flower = pytest.mark.skipif(not FLOWER, reason="needs the extra flower, in an environment of its own")

PARTITIONS, LOCAL_STEPS, ROUNDS = 3, 4, 3
NORMALIZED = 16 + 32  # channels, each with a scale and a shift to learn and two running statistics
PARAMETERS = 9 * 16 + 9 * 16 * 32 + 2 * NORMALIZED + (32 * 3 * 3 + 1) * 10

SUITE = f"""
title = "The same twice"
metrics = ["final_loss", "final_accuracy", "update_bytes", "throughput"]
budget = {{ steps = {LOCAL_STEPS * ROUNDS} }}

[[matrix]]
workload = {{ name = "fashion-cnn", pool = 14, samples = 600, evaluation_samples = 300, normalization = "batch", \
evaluations = 0.1, partitions = {PARTITIONS}, batch_size = 60, split = "label", degree = 0.5, label = "clothes" }}
parallelizer = [
    {{ name = "fedavg", local_steps = {LOCAL_STEPS}, statistics = "averaged", label = "ours" }},
    {{ name = "flower-fedavg", local_steps = {LOCAL_STEPS}, label = "flower" }},
]
"""


def cells(folder: Path) -> dict[str, dict[str, Any]]:
    (folder / "suite.toml").write_text(SUITE, encoding="utf-8")
    command = [sys.executable, "-m", "harness", "run", "suite.toml", "--json", "-o", "run"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=850)
    return {cell["parallelizer"]: cell for cell in json.loads(done.stdout)["cells"]}


@needs_flower
@pytest.mark.timeout(900)
def test_losses_are_those_of_fedavg_and_bytes_those_of_the_closed_form(tmp_path: Path) -> None:
    found = cells(tmp_path)
    for cell in found.values():
        assert cell["outcome"] == "done", cell["reason"]
    ours, theirs = (found[name]["metrics"] for name in ("ours", "flower"))
    assert theirs["final_loss"] == pytest.approx(ours["final_loss"], abs=1e-4)
    assert theirs["final_accuracy"] == pytest.approx(ours["final_accuracy"], abs=1 / 300)
    assert theirs["update_bytes"] == 4 * PARTITIONS * ROUNDS * (PARAMETERS + 2 * NORMALIZED)


@pytest.mark.skipif(FLOWER, reason="Flower is installed")
def test_where_flower_is_missing_its_cells_are_skipped_and_say_how_to_get_it(tmp_path: Path) -> None:
    found = cells(tmp_path)
    assert found["ours"]["outcome"] == "done"
    assert found["flower"]["outcome"] == "skipped"
    assert "pip install 'harness-peers[flower]' in an environment of its own" in found["flower"]["reason"]


def test_other_devices_and_uneven_minibatches_are_refused() -> None:
    from harness.workloads.fashion import FashionCnn

    workload = FashionCnn(partitions=5, batch_size=100)
    assert FlowerFedAvg().refuses(workload, devices.Cpu()) == ""
    assert "use the device cpu, not processes" in FlowerFedAvg().refuses(workload, devices.Processes())
    assert "not divisible by 6" in FlowerFedAvg().refuses(FashionCnn(partitions=6, batch_size=100), devices.Cpu())
