"""The plugin's suites: that they are what they claim to compare, and that the large one runs."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import harness_skewscout

SUITES = Path(harness_skewscout.__file__).parent / "suites"
SHORT = ("budget = { steps = 2000 }", "budget = { steps = 4 }")


@pytest.mark.parametrize("name", ["skewscout", "skewscout-full"])
def test_the_sweep_holds_every_setting_of_skewscouts_grids(name: str) -> None:
    from harness_skewscout.parallelizers import GRIDS

    matrices = tomllib.loads((SUITES / f"{name}.toml").read_text())["matrix"]
    sweeps = [m["parallelizer"] for m in matrices if "skewscout" in str(m) and isinstance(m["parallelizer"], list)]
    (ways,) = ([way for way in sweep if isinstance(way, dict)] for sweep in sweeps)
    knobs = {"gaia": "threshold", "fedavg": "local_steps", "dgc": "sparsity"}
    for scout in (way for way in ways if way["name"] == "skewscout"):
        algorithm = scout["algorithm"]
        fixed = {way[knobs[algorithm]] for way in ways if way["name"] == algorithm and knobs[algorithm] in way}
        grid = set(scout.get("grid", GRIDS[algorithm]))
        # The densest setting is bsp.
        assert grid - fixed <= {0.0, 1}
        assert fixed <= grid


def test_a_cell_of_the_large_suite_runs(tmp_path: Path) -> None:
    text = (SUITES / "skewscout-full.toml").read_text()
    assert SHORT[0] in text
    (tmp_path / "full.toml").write_text(text.replace(*SHORT))
    only = "full/lenet, skew 100 %/skewscout over fedavg/cpu/0"
    command = [sys.executable, "-m", "harness", "run", "full.toml", "--only", only, "-o", "out", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [cell["outcome"] for cell in found["cells"]] == ["done"]
    assert found["cells"][0]["metrics"]["update_bytes"] == 4 * 7738 * 5 * 4
    assert {claim["verdict"] for claim in found["claims"]} == {"not measured"}
