"""``harness pipedream profile``: measure a workload's model on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from harness import HarnessError, TrainingWorkload
from harness.registry import load
from harness_pipedream.profiling.profile import Profile

COLUMNS = ("layer", "forward ms", "backward ms", "update ms", "output bytes", "parameter bytes")


def profile_workload(
    workload: Annotated[str, typer.Argument(metavar="WORKLOAD", help="A workload that trains a torch model.")],
    batch_size: Annotated[int | None, typer.Option(metavar="N", help="Samples a minibatch.")] = None,
    repeats: Annotated[
        int, typer.Option(min=1, metavar="N", help="Runs of each layer, of which medians are taken.")
    ] = 10,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="cpu, cuda or cuda:1.")] = "cpu",
    threads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Torch's threads; all cores if left out.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write it there.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure what each layer of a workload's model takes, which 'plan' and 'explain' then read."""
    parameters = {} if batch_size is None else {"batch_size": batch_size}
    task = load().build("workload", workload, parameters)
    if not isinstance(task, TrainingWorkload):
        raise HarnessError(f"workload {workload!r} trains no torch model, and only those can be profiled")
    if not (available := task.availability()).ok:
        raise HarnessError(str(available))
    found = _measure(task, device, repeats, threads)
    if output:
        found.write(output)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=1))
    else:
        Console().print(_table(found))


def _measure(task: TrainingWorkload, device: str, repeats: int, threads: int | None) -> Profile:
    import torch

    from harness_pipedream.profiling.profiler import profile

    if threads:
        torch.set_num_threads(threads)
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise HarnessError(f"device {device!r} is not here: {str(error).splitlines()[0]}") from error
    task.prepare()
    return profile(task, torch_device=device, repeats=repeats)


def _table(found: Profile) -> Table:
    table = Table(*COLUMNS, box=SIMPLE_HEAD, caption=f"{found.batch_size} samples a minibatch")
    for layer in found.layers:
        times = (layer.forward_seconds, layer.backward_seconds, layer.update_seconds)
        sizes = (layer.activation_bytes, layer.parameter_bytes)
        table.add_row(layer.name, *(f"{t * 1000:.4g}" for t in times), *(f"{size:,}" for size in sizes))
    return table
