"""``harness focus query``: ask each stream, and print what comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

from harness import HarnessError, UnknownName
from harness_focus.index.reading import Index
from harness_focus.networks.catalogue import EXPENSIVE, expensive
from harness_focus.query.query import Answer, Hit, Query, hits
from harness_focus.video.segments import stretches

if TYPE_CHECKING:
    from harness_focus.networks import ExpensiveNetwork


def answers(
    folder: Path, label: str, *, k: int | None, since: float, until: float, network: str | None, as_json: bool
) -> Iterator[Answer]:
    """Ask every stream that goes as far as ``since`` and knows the class; raise HarnessError where none does."""
    named = lru_cache(expensive)
    found = reaching(folder, since)
    most = max(int(index.settings["k"]) for index in found)
    wanted = k or most
    asked, refused = [], []
    for index in found:
        its = int(index.settings["k"])
        query = Query(label, min(wanted, its) if wanted <= most else wanted, since, until)
        expert = named(network or str(index.settings.get("expert", EXPENSIVE)))
        try:
            query.check(index, expert)
        except UnknownName as error:
            refused.append(error)
        else:
            asked.append((index, query, expert))
    if not asked:
        raise refused[0]
    for index, query, expert in asked:
        yield _answer(index, query, expert, as_json=as_json)


def reaching(folder: Path, since: float) -> list[Index]:
    """The indexes in a folder that go as far as a moment; the longest one where none does, which will say so."""
    found = [Index(path) for path in sorted(folder.glob("*.sqlite"))]
    if not found:
        raise HarnessError("holds no index; harness focus ingest makes one", where=str(folder))
    ends = {index: index.position().seconds for index in found}
    return [index for index in found if ends[index] >= since] or [max(found, key=lambda index: ends[index])]


def _answer(index: Index, asked: Query, expert: ExpensiveNetwork, *, as_json: bool) -> Answer:
    """Answer for one stream, and print: each cluster at once as JSON, or a table of seconds at the end."""
    found: list[Hit] = []
    for hit in hits(index, asked, expert):
        found.append(hit)
        if as_json:
            typer.echo(json.dumps(_facts(index, hit)))
    answer = Answer.of(index, asked, found)
    if as_json:
        typer.echo(json.dumps(_summary(answer)))
    else:
        typer.echo(f"{asked.label} in {index.source}: {len(answer.seconds)} s, {len(answer.hits)} clusters")
        Console().print(_table(answer))
    return answer


def _facts(index: Index, hit: Hit) -> dict[str, Any]:
    return {
        "source": index.source,
        "cluster": hit.cluster,
        "probability": hit.probability,
        "frames": [frame for frame, _ in hit.frames],
        "seconds": [seconds for _, seconds in hit.frames],
    }


def _summary(answer: Answer) -> dict[str, Any]:
    frames = {frame for hit in answer.hits for frame in hit.frames}
    seconds = list(answer.seconds)
    return {"source": answer.source, "class": answer.query.label, "seconds": seconds, "frames": len(frames)}


def _table(answer: Answer) -> Table:
    table = Table("from s", "to s")
    for stretch in stretches(answer.seconds):
        table.add_row(str(stretch.since), str(stretch.until))
    return table
