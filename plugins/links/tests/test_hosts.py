"""torchrun on two hosts, which are network namespaces with a link between them, as its documentation says."""

import contextlib
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
from clustering import MISSING, flat

from harness import Trace
from harness_links.fabric import fabric
from harness_links.namespaces import enter

PACKAGE = Path(__file__).parent / "packages" / "resuming"
STEPS, HOLD = 10, 5
SUITE = f"""
title = "Sums on two hosts"
metrics = ["final_loss", "bytes_sent"]

[[matrix]]
workload = {{ name = "sums", label = "sums", steps = {STEPS}, hold = {HOLD}, until = "UNTIL" }}
parallelizer = "resuming"
device = "torchrun"
"""

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)


def environment(**variables):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PYTHONPATH": str(PACKAGE), "PATH": path, **variables}


def harness(folder, *arguments):
    command = [sys.executable, "-m", "harness", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return done.stdout


def prepared(folder):
    """Write the suite and begin its run: the line that every host starts."""
    (folder / "suite.toml").write_text(SUITE.replace("UNTIL", str(folder / "go on")), encoding="utf-8")
    (line,) = harness(folder, "run", "suite.toml", "-o", "run", "--print-commands", "--slurm", "nodes=2").splitlines()
    return line


@contextlib.contextmanager
def started(line, site, first, folder):
    """A host that runs the line; whatever it started is gone at the end."""
    # A namespace has an address, and no name: neither torch's store nor a peer would find it by the machine's.
    variables = {"HOST": first.host, "PET_LOCAL_ADDR": site.host, "PET_MAX_RESTARTS": "3"}
    variables["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    variables["PET_RDZV_CONF"] = f"is_host={int(site is first)},keep_alive_interval=1,keep_alive_max_attempt=3"
    with (folder / f"{site.host}.txt").open("a") as said:
        host = subprocess.Popen(
            ["bash", "-c", f"exec {line}"],
            cwd=folder,
            env=environment(**variables),
            stdout=said,
            stderr=said,
            preexec_fn=partial(enter, site.namespace),
        )
        try:
            yield host
        finally:
            kill(host)


def kill(host):
    """End a host's processes at once, as the loss of its power would."""
    with contextlib.suppress(psutil.NoSuchProcess):
        agent = psutil.Process(host.pid)
        for process in [agent, *agent.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    host.wait()


def await_step(folder, step):
    """Wait until so many steps are saved."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if [json.loads(path.read_text())[0] for path in folder.glob("run/cells/*/saved.json")] == [step]:
            return
        time.sleep(0.05)
    raise AssertionError("".join(path.read_text() for path in folder.glob("10.*.txt")))


def test_a_host_that_is_killed_and_brought_back_goes_on_from_the_checkpoint(tmp_path):
    line = prepared(tmp_path)
    assert "--nnodes=2 --nproc-per-node=1 " in line
    with fabric(flat(2, "1 Gbit/s").links(), 2) as (first, second), started(line, first, first, tmp_path) as stays:
        with started(line, second, first, tmp_path):
            await_step(tmp_path, HOLD)
        (tmp_path / "go on").touch()
        with started(line, second, first, tmp_path) as back:
            assert stays.wait(300) == 0, (tmp_path / f"{first.host}.txt").read_text()
            assert back.wait(300) == 0, (tmp_path / f"{second.host}.txt").read_text()
    (cell,) = json.loads(harness(tmp_path, "run", "suite.toml", "-o", "run", "--resume", "--json"))["cells"]
    assert cell["outcome"] == "done", cell["reason"]
    assert cell["metrics"]["final_loss"] == 2 * sum(range(1, STEPS + 1))
    (path,) = tmp_path.glob("run/cells/*/trace.parquet")
    trace = Trace.read(path)
    for rank in range(2):
        assert trace.values("loss", worker=rank).step.tolist() == list(range(HOLD + 1, STEPS + 1))
