"""The command line: thin; each command calls one function of the library."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.errors import HarnessError
from harness.report.output import console, print_columns, print_json, table

if TYPE_CHECKING:
    from harness.registry import Registry
    from harness.report.summary import Summary

INTERRUPTED = 130

app = typer.Typer(
    help="Run benchmark suites of systems that divide machine-learning work, and test what their papers claim.",
    epilog="A failure that names no cause shows it with: harness --debug COMMAND",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
data_app = typer.Typer(help="Data sets: licence, size, checksum, where from.", no_args_is_help=True)
app.add_typer(data_app, name="data")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]


def main() -> None:
    """Run the command line; a user's mistake is one line and status 2."""
    # Nothing that starting up allocates is garbage; looking for some takes a tenth of the time.
    gc.disable()
    debug = "--debug" in sys.argv[1:]
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    try:
        app(_plugin_command(arguments), standalone_mode=True)
    except HarnessError as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _plugin_command(arguments: list[str]) -> list[str]:
    """Add the plugin command that is called for, importing no other."""
    names = {command.name or "" for command in app.registered_commands} | {"data"}
    called = next((a for a in arguments if not a.startswith("-")), "")
    if called and called not in names:
        from importlib import import_module

        registry = _registry()
        if called in registry.names("command"):
            module, _, attribute = registry.offer("command", called).thing.partition(":")
            app.add_typer(getattr(import_module(module), attribute), name=called)
    return arguments


def _registry() -> Registry:
    from harness.registry import load

    registry = load()
    gc.enable()
    return registry


@app.command("list")
def list_command(
    kind: Annotated[
        str | None, typer.Argument(help="workload, parallelizer, device, metric, suite, dataset...")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List components, suites, data sets and plugins."""
    from harness.listing import rows

    found = rows(_registry(), kind)
    if as_json:
        print_json(found)
        return
    print_columns([r for r in found if r["kind"] != "plugin"], ("kind", "name", "plugin", "summary"))
    print()  # noqa: T201
    print_columns([r for r in found if r["kind"] == "plugin"], ("name", "plugin", "version", "error"))


@app.command()
def info(name: Annotated[str, typer.Argument(help="A component's name.")], as_json: AsJson = False) -> None:
    """Show a component's parameters, units and source, and what it works with."""
    from harness.listing import describe

    found = describe(_registry(), name)
    if as_json:
        print_json(found)
        return
    screen = console()
    for thing in found:
        screen.print(f"[bold]{thing['name']}[/bold] ({thing['kind']} of {thing['plugin']} {thing['version']})")
        screen.print(thing["documentation"], markup=False, highlight=False)
        for key in ("unit", "better", "parallelizers", "workloads"):
            if key in thing:
                value = thing[key]
                screen.print(f"{key}: {', '.join(value) if isinstance(value, list) else value}", highlight=False)
        parameters = [
            {**p, "default": "required" if p["required"] else repr(p["default"])} for p in thing["parameters"]
        ]
        if parameters:
            screen.print(table(parameters, ("name", "type", "default", "description")))


@app.command()
def run(
    suites: Annotated[list[str], typer.Argument(metavar="SUITE...", help="Suite files, or names of plugins' suites.")],
    only: Annotated[str | None, typer.Option(metavar="GLOB", help="Only cells whose id matches.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The first two seeds of each combination.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Cells at a time; with more than one, no time is measured.")] = 1,
    engine: Annotated[
        Literal["local", "submitit"], typer.Option(help="On this machine, or a job of Slurm for each block.")
    ] = "local",
    slurm: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="What to ask Slurm for, such as partition=gpu.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was cut off.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The run's folder.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if a claim falls short.")] = False,
    print_commands: Annotated[
        bool, typer.Option("--print-commands", help="Print a torchrun line for each cell instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run suites; print tables and claims; keep everything in the run's folder."""
    from harness.engine import commands, open_run, run_cells
    from harness.report.progress import Progress
    from harness.report.summary import as_json as summary_json
    from harness.report.summary import summarise
    from harness.report.terminal import show
    from harness.suite import chosen

    registry = _registry()
    elsewhere = engine == "submitit" or print_commands
    asked = _asked(slurm or (), elsewhere=elsewhere)
    these = chosen(suites, registry, only=only, quick=quick, jobs=jobs, elsewhere=elsewhere)
    this = open_run(these, output, registry, resume=resume)
    if print_commands:
        for line in commands(this, registry, nodes=asked.get("nodes", 1)):
            print(line)  # noqa: T201
        return
    left_out = [
        f"plugin {plugin.distribution} is left out: {plugin.error}" for plugin in registry.plugins if plugin.error
    ]
    for problem in left_out + this.problems:
        print(f"warning: {problem}", file=sys.stderr)  # noqa: T201
    try:
        with this.alone(), Progress(this) as progress:
            if engine == "submitit":
                from harness.adapters.slurm import run_cells as submit_cells

                submit_cells(this, registry, asked, jobs=jobs, observe=progress.observe)
            else:
                run_cells(this, registry, jobs=jobs, observe=progress.observe, ahead=progress.ahead)
    except KeyboardInterrupt:
        print(f"interrupted; what had finished is kept: harness run ... -o {this.folder} --resume", file=sys.stderr)  # noqa: T201
        sys.exit(INTERRUPTED)
    summary = summarise(this, registry)
    if as_json:
        print_json(summary_json(summary))
    else:
        show(summary, console())
        _page(summary, registry)
    if summary.failed:
        sys.exit(1)
    if strict and any(claim.verdict == "falls short" for claim in summary.claims):
        sys.exit(3)


def _asked(slurm: Sequence[str], *, elsewhere: bool) -> dict[str, Any]:
    """What Slurm is asked for; refused where it would not be asked."""
    from harness.adapters.slurm import parameters

    if slurm and not elsewhere:
        raise HarnessError("goes with --engine submitit, or --print-commands", where="--slurm")
    return parameters(slurm)


def _page(summary: Summary, registry: Registry) -> None:
    """Write a run's page beside its results where plotly is installed."""
    from harness.report.page import HOW_TO_GET, available, write_page

    if not available():
        print(HOW_TO_GET)  # noqa: T201
        return
    path = summary.run.folder / "report.html"
    write_page(summary, registry, path)
    print(f"Page: {path}")  # noqa: T201


@app.command()
def report(
    folder: RunFolder,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE.html", help="Write the page.")] = None,
    in_short: Annotated[
        Path | None,
        typer.Option("--summary", metavar="FILE.md", help="Write claims, machine and versions in Markdown."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a run's tables and claims again, from what is stored; or write its page, or its claims in Markdown."""
    from harness.report.markdown import write_markdown
    from harness.report.page import write_page
    from harness.report.summary import as_json as summary_json
    from harness.report.summary import summarise
    from harness.report.terminal import show
    from harness.store import Run

    registry = _registry()
    summary = summarise(Run.open(folder), registry)
    if output is not None:
        write_page(summary, registry, output)
    if in_short is not None:
        write_markdown(summary, in_short)
    if as_json:
        print_json(summary_json(summary))
    else:
        show(summary, console())


@app.command()
def compare(
    old: Annotated[Path, typer.Argument(metavar="A", help="What to compare with: a run, or pytest-benchmark's JSON.")],
    new: Annotated[Path, typer.Argument(metavar="B", help="What to judge.")],
    fail_above: Annotated[
        float | None, typer.Option("--fail-above", metavar="PERCENT", help="Exit with 1 if a metric is worse by more.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two runs, or two files of pytest-benchmark, paired by seed: ratios with 95 % intervals."""
    from dataclasses import asdict

    from harness.compare import compare as compared
    from harness.report.terminal import changes_table

    changes = compared(old, new, _registry())
    if as_json:
        print_json([asdict(change) for change in changes])
    else:
        console().print(changes_table(changes))
    if fail_above is not None and any(c.verdict == "worse" and c.percent_worse > fail_above for c in changes):
        sys.exit(1)


@app.command()
def trace(
    folder: RunFolder,
    cell: Annotated[str, typer.Argument(help="A cell's id, or a glob that fits one.")],
    form: Annotated[str, typer.Option("--format", help="perfetto or csv.")] = "perfetto",
) -> None:
    """Print a cell's timeline for a trace viewer."""
    from harness.report.export import write_trace
    from harness.store import Run

    write_trace(Run.open(folder), cell, form, sys.stdout)


@app.command()
def doctor(
    clean: Annotated[bool, typer.Option("--clean", help="Remove what killed runs left behind.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what this machine can run, what is missing, and how to get it."""
    from harness import doctor as diagnosis

    if clean:
        for path in diagnosis.clean():
            print(f"removed {path}")  # noqa: T201
    rows = [dict(row) for row in diagnosis.examine(_registry())]
    if as_json:
        print_json(rows)
    else:
        console().print(table(rows, ("kind", "name", "state", "detail")))


@app.command()
def check(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Components, or plugins for all of theirs.")],
    time_limit: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="The longest a cell may take.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Check that a plugin's components do what the harness expects of them."""
    from harness.testing import check as checked
    from harness.testing.outcomes import as_json as outcomes_json
    from harness.testing.outcomes import summary

    outcomes = []
    for outcome in checked(names, _registry(), time_limit=time_limit):
        outcomes.append(outcome)
        if outcome.outcome != "passed" and not as_json:
            print(outcome, flush=True)  # noqa: T201
    if as_json:
        print_json(outcomes_json(outcomes))
    else:
        print(summary(outcomes))  # noqa: T201
    if any(outcome.outcome == "failed" for outcome in outcomes):
        sys.exit(1)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The distribution's name, such as my-plugin.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where its folder goes.")] = Path(),
) -> None:
    """Write a plugin project that passes its own tests."""
    from harness.testing.new import new as write

    folder = write(name, output)
    print(f"{folder}: next, pip install -e '{folder}[test]' && harness check {name}")  # noqa: T201


@app.command(hidden=True)
def cell(
    path: Annotated[Path, typer.Argument(metavar="SPEC.json")],
    parent: Annotated[int | None, typer.Option(help="The process without which the cell is of no use.")] = None,
) -> None:
    """Run one cell in this process: what torchrun, srun and the engine start."""
    from harness.cell import run_file
    from harness.devices import die_with_parent

    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    die_with_parent()
    if parent is not None and os.getppid() != parent:
        raise HarnessError(f"the process {parent} that wanted this cell has ended")
    result = run_file(path)
    if result is not None and result.outcome != "done":
        sys.exit(1)


@data_app.command("list")
def data_list(as_json: AsJson = False) -> None:
    """List the declared data sets."""
    from harness.data import listing

    rows = listing([offer.thing for offer in _registry().of_kind("dataset")])
    if as_json:
        print_json(rows)
    else:
        console().print(table([{k: str(v) for k, v in r.items()} for r in rows], tuple(rows[0]) if rows else ()))


@data_app.command("fetch")
def data_fetch(names: Annotated[list[str] | None, typer.Argument(metavar="NAME...")] = None) -> None:
    """Fetch data sets, or all of them, and check them."""
    for dataset in _datasets(names):
        print(f"{dataset.name}: {dataset.fetch()}")  # noqa: T201


@data_app.command("verify")
def data_verify(names: Annotated[list[str] | None, typer.Argument(metavar="NAME...")] = None) -> None:
    """Check the checksums of the data sets that have been fetched."""
    problems = [problem for dataset in _datasets(names) if dataset.folder.exists() for problem in dataset.verify()]
    for problem in problems:
        print(problem, file=sys.stderr)  # noqa: T201
    if problems:
        sys.exit(1)


def _datasets(names: list[str] | None) -> list[Any]:
    registry = _registry()
    return [registry.dataset(name) for name in names or registry.names("dataset")]
