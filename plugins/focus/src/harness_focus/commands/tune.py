"""``harness focus tune``: a cheap network and settings for a user's own stream."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from harness import HarnessError
from harness_focus.networks.catalogue import EXPENSIVE

if TYPE_CHECKING:
    from harness_focus.tuning.tuning import Tuned

TOLD = 500  # labels between two lines that say how many there are


def tune(
    video: Annotated[str, typer.Argument(metavar="VIDEO", help="A recording of the stream, the longer the better.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="MODEL", help="The file to write.")],
    target: Annotated[float, typer.Option(min=0, max=1, help="Least precision and recall.")] = 0.95,
    policy: Annotated[
        Literal["balance", "opt-ingest", "opt-query"], typer.Option(help="What is to cost least.")
    ] = "balance",
    network: Annotated[str, typer.Option(help="The expensive network: lite0 to lite2 or yolo, @ pixels.")] = EXPENSIVE,
    sample: Annotated[float, typer.Option(min=1, help="Seconds of video that it labels.")] = 600.0,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each network's training.")] = 300,
    seed: Annotated[int, typer.Option(help="Of what is drawn at random.")] = 0,
    whole: Annotated[bool, typer.Option("--whole", help="Leave out objects that the picture's border cuts.")] = False,
) -> None:
    """Choose a cheap network, T and K for a stream: label a sample, teach networks, keep what meets the target."""
    from harness_focus.ingest.gathering import gathered
    from harness_focus.ingest.indexing import Settings
    from harness_focus.tuning.tuned import How, tuned_to
    from harness_focus.video.reading import Video

    _check(output)
    recording = Video(video, live=False)
    objects = gathered(recording, Settings(whole=whole))
    for problem in (*recording.problems, *recording.notes):
        typer.echo(f"{video}: {problem}", err=True)
    model, found = tuned_to(objects, How(network, policy, target, sample, steps, seed, whole), tell=_progress)
    model.save(output)
    # Piped into a file, a row is one line.
    Console(width=None if sys.stdout.isatty() else 120).print(_table(found))
    _say(found, target, output)


def _check(output: Path) -> None:
    """Refuse a file that cannot be written, before anything takes long."""
    if output.is_dir():
        raise HarnessError("is a folder; name a file", where=str(output))
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=output.parent):
            pass
    except OSError as error:
        raise HarnessError(f"cannot be written: {error.strerror}", where=str(output)) from None


def _progress(done: int, all_: int) -> None:
    if done == all_ or done // TOLD > (done - 1) // TOLD:
        typer.echo(f"{done} of {all_} objects labelled", err=True)


def _table(found: Tuned) -> Table:
    """The front: costs are in calls of the expensive network, of ingest for the whole video, of queries in the mean."""
    from harness_focus.tuning.tuning import Grid

    table = Table("", "network", box=None, pad_edge=False, title="The front", title_justify="left")
    for heading in ("T", "K", "ingest", "a query", "precision", "recall", "sure of"):
        table.add_column(heading, justify="right")
    for point in found.front.points:
        setting = point.setting
        network = str(Grid().architectures[setting.network])
        costs = f"{point.ingest:.1f}", f"{point.query:.1f}"
        shares = (f"{share:.3f}" for share in (point.precision, point.recall, point.sure))
        taken = "taken" if point == found.chosen else ""
        table.add_row(taken, network, f"{setting.threshold:g}", str(setting.k), *costs, *shares)
    return table


def _say(found: Tuned, target: float, output: Path) -> None:
    if not found.front.met:
        typer.echo(
            f"no setting is sure to reach {target:g}: these come nearest; label more (--sample), or a longer video"
        )
    typer.echo(f"{output}: harness focus ingest --tuned {output} uses it; {found.calls} expensive calls were made")
