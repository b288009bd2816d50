"""The engine ``submitit``, with its executor for one machine: the same cells, the same records."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from harness.adapters.slurm import parameters
from harness.errors import HarnessError
from tests.conftest import Harness, once

pytest.importorskip("submitit")
HERE = ("--engine", "submitit", "--slurm", "cluster=local")


def records(folder: Path) -> dict[str, dict[str, object]]:
    """Every cell's stored result, without what the clock says."""
    found = {}
    for path in folder.glob("cells/*/result.json"):
        result = json.loads(path.read_text())
        result["metrics"].pop("wall_time", None)
        found[result["cell"]["id"]] = {key: result[key] for key in ("cell", "outcome", "metrics", "host", "format")}
    return found


def test_jobs_leave_the_records_that_the_local_engine_leaves(harness: Harness, suite: Path, tmp_path: Path) -> None:
    done = harness("run", suite.name, "-o", "jobs", *HERE, "--json")
    assert done.returncode == 0, done.stderr
    assert {cell["outcome"] for cell in json.loads(done.stdout)["cells"]} == {"done"}
    assert harness("run", suite.name, "-o", "local").returncode == 0
    assert records(tmp_path / "jobs") == records(tmp_path / "local")


def test_a_block_is_one_job(harness: Harness, suite: Path, tmp_path: Path) -> None:
    assert harness("run", suite.name, "-o", "out", *HERE).returncode == 0
    assert len(list((tmp_path / "out" / "jobs").glob("*_submitted.pkl"))) == 2


def test_a_cell_that_dies_in_a_job_is_named_and_the_others_go_on(harness: Harness, suite: Path) -> None:
    suite.write_text(suite.read_text().replace('"slow"]', '{ name = "unruly", how = "segfault", label = "slow" }]'))
    done = harness("run", suite.name, "-o", "out", *HERE, "--json")
    assert done.returncode == 1, done.stderr
    cells = json.loads(done.stdout)["cells"]
    assert {c["outcome"] for c in cells if c["parallelizer"] == "serial"} == {"done"}
    assert {c["reason"] for c in cells if c["parallelizer"] == "slow"} == {"died of signal 11 (SIGSEGV)"}


def test_a_job_that_is_killed_fails_its_cells(harness: Harness, suite: Path, tmp_path: Path) -> None:
    suite.write_text(suite.read_text().replace('"slow"]', f'{{ name = "busy", sign = "{tmp_path / "sign"}" }}]'))
    suite.write_text(suite.read_text().partition("[[claims]]")[0].replace("seeds = 2", "seeds = 1"))
    command = [sys.executable, "-m", "harness", "run", suite.name, "-o", "out", *HERE, "--json"]
    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "HARNESS_PLUGINS": "unruly"}, stdout=subprocess.PIPE, text=True
    ) as process:
        once(lambda: list(tmp_path.glob("sign-*")))
        (submitted,) = (tmp_path / "out" / "jobs").glob("*_submitted.pkl")
        job = submitted.name.partition("_")[0]
        tasks = psutil.Process(int(job)).children()
        for killed in (psutil.Process(int(job)), *tasks):
            killed.kill()
        printed, _ = process.communicate()
    reasons = [cell["reason"] for cell in json.loads(printed)["cells"] if cell["parallelizer"].startswith("busy")]
    assert reasons == [f"job {job} ended (INTERRUPTED) before this cell did"]


def test_each_rank_of_a_launched_cell_is_a_task_of_its_job(harness: Harness, suite: Path, tmp_path: Path) -> None:
    text = suite.read_text().partition("[[claims]]")[0]
    text = text.replace('["serial", "slow"]', '{ name = "slow", workers = 3 }')
    suite.write_text(text + f'device = {{ name = "ranks", folder = "{tmp_path}", label = "ranks" }}\n')
    done = harness("run", suite.name, "-o", "out", *HERE, "--json")
    assert done.returncode == 0, done.stderr
    left = [path.name.rpartition("-at-") for path in tmp_path.glob("rank-*")]
    assert sorted(name for name, _, _ in left) == sorted(f"rank-{r}-of-3" for r in range(3) for _ in range(2))
    assert len({port for _, _, port in left}) == 2, "ranks of one cell meet at one port"


def test_what_is_missing_is_looked_for_where_the_cell_runs(harness: Harness, suite: Path) -> None:
    suite.write_text(suite.read_text().replace("seeds", 'device = "absent"\nseeds'))
    done = harness("run", suite.name, "-o", "out", *HERE, "--json")
    assert done.returncode == 0, done.stderr
    assert {cell["outcome"] for cell in json.loads(done.stdout)["cells"]} == {"skipped"}
    assert "pip install no-such-module" in json.loads(done.stdout)["cells"][0]["reason"]


def test_another_engine_goes_on_where_one_was_cut_off(harness: Harness, suite: Path) -> None:
    assert harness("run", suite.name, "-o", "out", "--print-commands").returncode == 0
    assert harness("run", suite.name, "-o", "out", "--resume", *HERE).returncode == 0
    assert harness("run", suite.name, "-o", "out", "--resume").returncode == 0


def test_shared_names_are_submitits_and_others_are_sbatchs_options() -> None:
    given = ["partition=gpu", "nodes=2", "exclusive=false", "mem_gb=1.5", "qos=long-jobs"]
    assert parameters(given) == {
        "slurm_partition": "gpu",
        "nodes": 2,
        "slurm_exclusive": False,
        "mem_gb": 1.5,
        "slurm_qos": "long-jobs",
    }


@pytest.mark.parametrize("wrong", ["partition", "=gpu", "a b=c", "partition="])
def test_what_is_no_key_and_value_is_refused(wrong: str) -> None:
    with pytest.raises(HarnessError, match="KEY=VALUE"):
        parameters([wrong])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--slurm", "partition=gpu"], "--slurm: goes with --engine submitit, or --print-commands"),
        (["--engine", "submitit", "--slurm", "cluster=moon"], "moon"),
        ([*HERE, "--slurm", "partitoin=gpu"], "partitoin"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_runs(
    arguments: list[str], message: str, harness: Harness, suite: Path
) -> None:
    done = harness("run", suite.name, "-o", "out", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_commands_divide_ranks_over_the_nodes_that_are_asked_for(harness: Harness, suite: Path, tmp_path: Path) -> None:
    text = suite.read_text().partition("[[claims]]")[0]
    text = text.replace('["serial", "slow"]', '["serial", { name = "slow", workers = 4 }]').replace(
        "seeds = 2", "seeds = 1"
    )
    suite.write_text(text + f'device = {{ name = "ranks", folder = "{tmp_path}", label = "ranks" }}\n')
    lines = harness("run", suite.name, "-o", "two", "--print-commands", "--slurm", "nodes=2").stdout.splitlines()
    assert sorted(line.partition(" --rdzv")[0] for line in lines) == [
        "torchrun --nnodes=1 --nproc-per-node=1",
        "torchrun --nnodes=2 --nproc-per-node=2",
    ]
    done = harness("run", suite.name, "-o", "three", "--print-commands", "--slurm", "nodes=3")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "4 ranks do not divide over 3 nodes" in done.stderr
