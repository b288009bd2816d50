"""``harness focus``: index a video as it comes, and ask when something was to be seen."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Annotated

import typer

from harness import HarnessError
from harness_focus.commands.tune import tune

app = typer.Typer(help="Focus: index video cheaply as it comes, and query it.", no_args_is_help=True)
app.command("tune")(tune)

Folder = Annotated[Path, typer.Option("-i", "--index", metavar="FOLDER", help="Where the streams' indexes are.")]


@app.command()
def ingest(
    videos: Annotated[list[str], typer.Argument(metavar="VIDEO...", help="Files, devices, or addresses of cameras.")],
    index: Folder = Path("focus-index"),
    tuned: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="What harness focus tune wrote, in place of the next five.")
    ] = None,
    network: Annotated[str, typer.Option(help="The cheap network: lite0, lite1 or lite2, @ its pixels.")] = "lite0@64",
    k: Annotated[int, typer.Option("-k", min=1, help="Classes that are ranked for each cluster.")] = 10,
    threshold: Annotated[float, typer.Option(min=0, help="Distance of features under which an object joins.")] = 0.6,
    differencing: Annotated[float, typer.Option(min=0, help="Difference of grey levels; 0 turns it off.")] = 2.0,
    whole: Annotated[bool, typer.Option("--whole", help="Leave out objects that the picture's border cuts.")] = False,
    window: Annotated[
        float, typer.Option(min=1, help="Seconds after which what is shown is compared with what was tuned to.")
    ] = 600.0,
    respecialise: Annotated[
        bool, typer.Option("--respecialise", help="Where that differs, tune anew to the last window, and go on so.")
    ] = False,
    live: Annotated[
        bool | None, typer.Option("--live/--recorded", help="Whether frames are lost that are not taken in time.")
    ] = None,
    parent: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Index videos, each in a process of its own; an index that is there is gone on with, from where it ends.

    Exit status 2 if one of them could not be read to its end.
    """
    from harness_focus.ingest.cameras import each_alone, end_with, places

    if respecialise and not tuned:
        raise HarnessError("goes with --tuned: only what was tuned can be tuned anew", where="--respecialise")
    paths = places(videos, index)
    if len(videos) > 1:
        options = [f"--index={index}", f"--network={network}", f"-k{k}", f"--threshold={threshold}"]
        options += [f"--differencing={differencing}", f"--window={window}", f"--parent={os.getpid()}"]
        options += [f"--tuned={tuned}"] * bool(tuned) + ["--respecialise"] * respecialise + ["--whole"] * whole
        options += {True: ["--live"], False: ["--recorded"], None: []}[live]
        failed = each_alone({video: ["focus", "ingest", *options, "--", video] for video in videos})
        raise typer.Exit(2 if failed else 0)
    if parent is not None:
        end_with(parent)

    from harness_focus.commands.ingest import Watched, ingest_one, made_with

    ((video, path),) = paths.items()
    made = made_with(tuned, network=network, k=k, threshold=threshold, differencing=differencing, whole=whole)
    ingest_one(video, path, made, Watched(window, respecialise), live=live)


@app.command()
def query(
    label: Annotated[str, typer.Argument(metavar="CLASS", help="What to look for, such as 'zebra'.")],
    folder: Folder = Path("focus-index"),
    since: Annotated[float, typer.Option("--from", min=0, metavar="SECONDS", help="From when on.")] = 0.0,
    until: Annotated[float, typer.Option("--to", metavar="SECONDS", help="Until when.")] = math.inf,
    k: Annotated[
        int | None, typer.Option("-k", min=1, help="Classes that count for each cluster; all by default.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(help="The expensive network: lite0 to lite2 or yolo, @ pixels; lite2, or what was tuned to."),
    ] = None,
    page: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page of thumbnails, as HTML.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find the seconds in which something was to be seen; answers come as they are found."""
    from harness_focus.commands.query import answers

    found = list(answers(folder, label, k=k, since=since, until=until, network=network, as_json=as_json))
    if page:
        from harness_focus.query.page import write_page

        write_page(found, page)
