"""A program for torchrun: launch one function of this module on all ranks, and write down what came of it.

    torchrun ... ranked.py FUNCTION FOLDER [apart]

With ``apart`` each rank takes itself for a machine of its own.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
from simulating import launch

from harness import HarnessError
from harness_links import Torchrun, joining, ranks


def places(worker):
    total = worker.comm.all_reduce(np.array([worker.rank + 1.0]))
    worker.trace.value("total", float(total[0]))
    return [worker.rank, worker.size, worker.torch_device, float(total[0])]


def torch_sum(worker):
    import torch
    import torch.distributed as dist

    tensor = torch.full((1000,), worker.rank + 1.0)
    with worker.torch_group():
        dist.all_reduce(tensor)
    return tensor.unique().tolist()


def fail(worker):
    if worker.rank == worker.size - 1:
        raise ValueError("on purpose")
    worker.comm.receive(worker.size - 1)


def die(worker):
    if worker.rank == worker.size - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    worker.comm.receive(worker.size - 1)


def die_while_the_first_computes(worker):
    if worker.rank == worker.size - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def main(function, folder, *apart):
    if apart:
        joining.machine = ranks.machine = lambda: f"machine-{os.environ['RANK']}"
    ranks.GRACE_SECONDS = 60  # a busy machine may need long to tell which rank failed first
    device = Torchrun()
    with device.hosted() as here:
        if here:
            try:
                came = launch(device, globals()[function], int(os.environ["WORLD_SIZE"]), Path(folder))
            except HarnessError as error:
                came = {"error": str(error)}
            (Path(folder) / "came.json").write_text(json.dumps(came), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
