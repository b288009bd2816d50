"""``harness pipedream``: plan a profiled model, and explain a plan, without training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from harness import HarnessError, units
from harness_pipedream.commands.profile import profile_workload
from harness_pipedream.commands.tables import show
from harness_pipedream.planning.costs import cost_model
from harness_pipedream.planning.explain import Explanation, explain
from harness_pipedream.planning.levels import parse_levels
from harness_pipedream.planning.memory import MemoryLimit
from harness_pipedream.planning.plan import Plan
from harness_pipedream.planning.planner import Shape, plan
from harness_pipedream.profiling.published import read_profile

app = typer.Typer(help="PipeDream: plan a profiled model over workers, and explain a plan.", no_args_is_help=True)
app.command("profile")(profile_workload)

ProfileName = Annotated[str, typer.Argument(metavar="PROFILE", help="A profile's file, or a published one's name.")]
Levels = Annotated[str, typer.Option(metavar="LEVELS", help="Lowest first, such as '4 x 12 GB/s, 4 x 10 Gbit/s'.")]
CostName = Annotated[str, typer.Option("--cost", metavar="MODEL", help="ring, paper or release.")]
NoTransfers = Annotated[bool, typer.Option("--no-transfers", help="Count no time for boundaries between stages.")]
Copies = Annotated[int, typer.Option(min=0, help="Copies of the optimizer's state: 1 with momentum, 2 for Adam.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("plan")
def make_plan(
    profile: ProfileName,
    levels: Levels,
    cost: CostName = "ring",
    shape: Annotated[str, typer.Option(help="any, straight or data-parallel.")] = "any",
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Bytes a worker has, such as '16 GiB'.")] = None,
    optimizer_copies: Copies = 1,
    no_transfers: NoTransfers = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write the plan there.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find the plan of least predicted time per minibatch, and explain it."""
    model, machines, found = cost_model(cost, transfers=not no_transfers), parse_levels(levels), read_profile(profile)
    limit = MemoryLimit(_size(memory), optimizer_copies) if memory else None
    best = plan(found, machines, cost=model, shape=_shape(shape), memory=limit)
    if output:
        output.write_text(json.dumps(best.to_json(), indent=1) + "\n", encoding="utf-8")
    _print(explain(best, found, machines, cost=model, optimizer_copies=optimizer_copies), as_json)


@app.command("explain")
def explain_plan(
    profile: ProfileName,
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan's file: JSON.")],
    levels: Levels,
    cost: CostName = "ring",
    optimizer_copies: Copies = 1,
    no_transfers: NoTransfers = False,
    as_json: AsJson = False,
) -> None:
    """Work out what a given plan promises."""
    try:
        text = plan_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"cannot read a plan: {error}", where=str(plan_file)) from error
    given = Plan.parse(text, where=str(plan_file))
    model = cost_model(cost, transfers=not no_transfers)
    found = explain(given, read_profile(profile), parse_levels(levels), cost=model, optimizer_copies=optimizer_copies)
    _print(found, as_json)


def _print(found: Explanation, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=1))
    else:
        show(found, Console())


def _size(text: str) -> float:
    try:
        return float(str(units.parse(text, units.BYTES)))
    except ValueError as error:
        raise HarnessError(f"no amount of memory: {text!r}; {error}") from error


def _shape(text: str) -> Shape:
    shapes: dict[str, Shape] = {"any": "any", "straight": "straight", "data-parallel": "data-parallel"}
    if text not in shapes:
        raise HarnessError(f"unknown shape {text!r}; there is {', '.join(shapes)}")
    return shapes[text]
