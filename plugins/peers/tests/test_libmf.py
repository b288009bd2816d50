"""LIBMF compiled here: its source is what is known, and it learns as Orion's rule of the same name does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("harness_orion", reason="needs the extra libmf")

from harness import HarnessError, devices
from harness.testing import run_job
from harness_orion.parallelizers import CompiledSerial
from harness_orion.workloads import LdaGibbs, MfAdagrad
from harness_peers.libmf import Libmf
from harness_peers.libmf_building import hooked

SMALL = MfAdagrad(ratings="power-law", count=30_000, users=300, items=200, exponent=0.3, rank=16)
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


@needs_compiler
def test_its_losses_are_those_of_the_same_rule_in_orion(tmp_path: Path) -> None:
    theirs = run_job(Libmf(workers=1), SMALL, tmp_path / "theirs", epochs=8)
    ours = run_job(CompiledSerial(), SMALL, tmp_path / "ours", epochs=8)
    assert theirs.values("rmse").step.tolist() == list(range(1, 9))
    assert theirs.total("updates") == ours.total("updates") == 8 * 27_000
    assert theirs.values("rmse").value == pytest.approx(ours.values("rmse").value, rel=0.1)


@needs_compiler
def test_a_target_ends_its_passes(tmp_path: Path) -> None:
    found = run_job(Libmf(), SMALL, tmp_path / "run", target="rmse <= 1.0", epochs=40).values("rmse").value
    assert found[-1] <= 1.0
    assert (found[:-1] > 1.0).all()


def test_a_source_that_is_not_known_is_refused() -> None:
    with pytest.raises(HarnessError, match="not the one that is known"):
        hooked("int main() {}\n")


def test_other_rules_and_devices_are_refused() -> None:
    assert "mf-adagrad" in Libmf().refuses(LdaGibbs(), devices.Cpu())
    assert "threads" in Libmf().refuses(SMALL, devices.Processes())
    assert not Libmf().refuses(SMALL, devices.Cpu())
