"""``harness focus``: index a video as it comes, and ask when something was to be seen."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from harness import HarnessError
from harness_focus.index import Index
from harness_focus.query import Hit, Query, hits
from harness_focus.segments import present, stretches

if TYPE_CHECKING:
    from harness_focus.networks import CheapNetwork, ExpensiveNetwork

app = typer.Typer(help="Focus: index video cheaply as it comes, and query it.", no_args_is_help=True)

Folder = Annotated[Path, typer.Option("-i", "--index", metavar="FOLDER", help="Where the streams' indexes are.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def ingest(
    videos: Annotated[list[str], typer.Argument(metavar="VIDEO...", help="Files, or addresses of cameras.")],
    index: Folder = Path("focus-index"),
    network: Annotated[str, typer.Option(help="The cheap network: lite0, lite1 or lite2, @ its pixels.")] = "lite0@64",
    k: Annotated[int, typer.Option("-k", min=1, help="Classes that are ranked for each cluster.")] = 10,
    threshold: Annotated[float, typer.Option(min=0, help="Distance of features under which an object joins.")] = 0.6,
    differencing: Annotated[float, typer.Option(min=0, help="Difference of grey levels; 0 turns it off.")] = 2.0,
) -> None:
    """Index videos; an index that is there is gone on with, from where it ends."""
    from harness_focus.ingest import Settings, begin
    from harness_focus.video import Video

    opened = [Video(video) for video in videos]  # a bad one is refused before any work is done
    cheap, settings = _cheap(network), Settings(k=k, threshold=threshold, differencing=differencing)
    for video in opened:
        path = index / f"{_stem(video.source)}.sqlite"
        for segment in begin(path, video.source, cheap, settings).run(video.frames()):
            typer.echo(f"{path}: {segment.seconds:.1f} s, {segment.clusters} clusters", err=True)
        for problem in video.problems:
            typer.echo(f"{video.source}: {problem}", err=True)


@app.command()
def query(
    label: Annotated[str, typer.Argument(metavar="CLASS", help="What to look for, such as 'zebra'.")],
    index: Folder = Path("focus-index"),
    since: Annotated[float, typer.Option("--from", min=0, metavar="SECONDS", help="From when on.")] = 0.0,
    until: Annotated[float, typer.Option("--to", metavar="SECONDS", help="Until when.")] = math.inf,
    k: Annotated[int | None, typer.Option("-k", help="Classes that count for each cluster; all by default.")] = None,
    network: Annotated[str, typer.Option(help="The expensive network: lite0 to lite2 or yolo, @ pixels.")] = "lite2",
    as_json: AsJson = False,
) -> None:
    """Find the seconds in which something was to be seen; answers come as they are found."""
    expensive = _expensive(network)
    paths = sorted(index.glob("*.sqlite"))
    if not paths:
        raise HarnessError("holds no index; harness focus ingest makes one", where=str(index))
    for path in paths:
        _answer(Index(path), label, k, since, until, expensive, as_json)


def _answer(
    index: Index, label: str, k: int | None, since: float, until: float, expensive: ExpensiveNetwork, as_json: bool
) -> None:
    asked = Query(label, k or int(index.settings["k"]), since, until)
    found: list[Hit] = []
    for hit in hits(index, asked, expensive):
        found.append(hit)
        if as_json:
            typer.echo(json.dumps(_facts(index, hit)))
    frames = {frame for hit in found for frame in hit.frames}
    seconds = present(frames, index.frames_in())
    if as_json:
        typer.echo(json.dumps({"source": index.source, "class": label, "seconds": seconds, "frames": len(frames)}))
        return
    table = Table("from s", "to s", title=f"{label} in {index.source}: {len(seconds)} s, {len(found)} clusters")
    for stretch in stretches(seconds):
        table.add_row(str(stretch.since), str(stretch.until))
    Console().print(table)


def _facts(index: Index, hit: Hit) -> dict[str, Any]:
    return {
        "source": index.source,
        "cluster": hit.cluster,
        "probability": hit.probability,
        "frames": [frame for frame, _ in hit.frames],
        "seconds": [seconds for _, seconds in hit.frames],
    }


def _cheap(name: str) -> CheapNetwork:
    from harness_focus.pretrained import Lite

    variant, side = _parsed(name, ("lite0", "lite1", "lite2"))
    return Lite(variant, side=side or 64)


def _expensive(name: str) -> ExpensiveNetwork:
    from harness_focus.pretrained import Labels, Yolo

    variant, side = _parsed(name, ("lite0", "lite1", "lite2", "yolo"))
    return Yolo(side=side or 224) if variant == "yolo" else Labels(variant, side=side or 224)


def _parsed(name: str, variants: tuple[str, ...]) -> tuple[str, int]:
    variant, _, side = name.partition("@")
    if variant not in variants or (side and not (side.isdecimal() and int(side) >= 32)):
        raise HarnessError(
            f"a network is one of {', '.join(variants)}, perhaps with its pixels, as in lite0@64; not {name!r}"
        )
    return variant, int(side or 0)


def _stem(source: str) -> str:
    """A file name for a stream: its own, or its address without what a file name cannot have."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in source.rsplit("/", 1)[-1])
