"""A query's page: one HTML file with a time line and a thumbnail of each cluster found; it fetches nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from harness import HarnessError
from harness_focus.query.query import Answer, Hit
from harness_focus.video.pictures import thumbnail
from harness_focus.video.segments import Stretch, stretches

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def write_page(answers: Sequence[Answer], path: Path) -> None:
    """Write the answers of one query, a stream each. Raises HarnessError where the file cannot be written."""
    try:
        path.write_text(render(answers), encoding="utf-8")
    except OSError as error:
        raise HarnessError(f"the page cannot be written: {error.strerror}", where=str(path)) from None


def render(answers: Sequence[Answer]) -> str:
    """The page as text."""
    label = escape(answers[0].query.label) if answers else ""
    css = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>{label}</title><style>{css}</style>'
    )
    sections = "".join(_section(answer) for answer in answers)
    main = f"<main><h1>When {label} was to be seen</h1>{sections}</main>"
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{main}</body></html>\n'


def _section(answer: Answer) -> str:
    about = f"{len(answer.seconds)} of {answer.until - answer.since:.0f} s, {len(answer.hits)} clusters"
    clusters = "".join(_cluster(answer, hit) for hit in answer.hits)
    found = f'<ul class="clusters">{clusters}</ul>' if clusters else "<p>Nowhere.</p>"
    head = f'<h2>{escape(answer.source)}</h2><p class="soft">{about}</p>'
    return f"<section>{head}{_time_line(answer)}{found}</section>"


def _time_line(answer: Answer) -> str:
    found = stretches(answer.seconds)
    said = f"Seconds in which {answer.query.label} was to be seen: {_listed(found) or 'none'}"
    ends = f"<span>{clock(answer.since)}</span><span>{clock(answer.until)}</span>"
    return f'<div class="line">{_bars(answer, found, said)}<div class="ends">{ends}</div></div>'


def _cluster(answer: Answer, hit: Hit) -> str:
    """What stands for a cluster, and when its members were to be seen."""
    found = stretches(int(seconds) for _, seconds in hit.frames)
    first, last = (clock(hit.frames[n][1]) for n in (0, -1))
    when = first if first == last else f"{first} to {last}"
    picture = base64.b64encode(thumbnail(hit.picture)).decode()
    alt = escape(f"{answer.query.label} in {answer.source}, {when}")
    image = f'<img src="data:image/jpeg;base64,{picture}" alt="{alt}">'
    facts = f'<p class="soft">{when}, {len(hit.frames)} frame{"s" * (len(hit.frames) > 1)}</p>'
    return f"<li>{image}{_bars(answer, found, f'Seconds: {_listed(found)}')}{facts}</li>"


def _bars(answer: Answer, found: Iterable[Stretch], said: str) -> str:
    """Stretches of time as bars, a unit a second, on the range that was asked for."""
    width = max(answer.until - answer.since, 1.0)
    bars = "".join(
        f'<rect class="found" x="{run.since - answer.since:g}" width="{run.until - run.since}" height="1">'
        f"<title>{_span(run)}</title></rect>"
        for run in found
    )
    return (
        f'<svg viewBox="0 0 {width:g} 1" preserveAspectRatio="none" role="img" aria-label="{escape(said)}">'
        f'<rect class="ground" width="{width:g}" height="1"/>{bars}</svg>'
    )


def _listed(found: Iterable[Stretch]) -> str:
    return ", ".join(_span(run) for run in found)


def _span(run: Stretch) -> str:
    return f"{clock(run.since)} to {clock(run.until)}"


def clock(seconds: float) -> str:
    """A moment of a stream, as 0:07 or 1:02:07."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
